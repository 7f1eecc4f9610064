// Where on the data's way: inside the network; oneDNN's primitives, prepared once, executed by many threads.
#include "worker/network/matrix_product.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/check.h"
#include "common/status_macros.h"
#include "common/tensor/bfloat16.h"
#include "common/tensor/copy_past_caches.h"
#include "common/tensor/finite.h"

namespace downpour {
namespace {

using dnnl::memory;

// Shapes of one network differ only in the frames of an epoch's last minibatches: this many are enough.
constexpr size_t kMaxPrepared = 256;

constexpr int64_t kPanelColumns = 320;  // 2,560 columns are 8 panels, 8,000 are 25
constexpr int64_t kBlockRows = 64;      // of 2,560 floats they take a third of a 2 MB cache
// The bfloat16 values in a row of AMX's tiles; oneDNN 2.6 is slow if `inner` is not a multiple of it.
constexpr int64_t kInnerStep = 32;

// A product as oneDNN has planned it. Each execution brings the memory.
struct Prepared {
  dnnl::matmul primitive;
  memory::desc a, b, bias, c, scratchpad;
};

struct Reordering {
  memory::desc from, to;
  dnnl::reorder primitive;
};

// ComputeByRows copies a block of op(A)'s rows out of A, then multiplies it by all of B, packed as oneDNN
// prefers. In bfloat16 zeros follow in both until `inner` is a multiple of kInnerStep.
struct PreparedRows {
  int64_t rows = 0;  // of a block
  Prepared block;
  Reordering transpose, transpose_last;
  Reordering pack;
};

// A thread's memory for the part that it computes.
struct Block {
  std::vector<char> a, c;
  std::vector<char> scratchpad;
};

memory::data_type InputType(NetworkDescription::Precision precision) {
  switch (precision) {
    case NetworkDescription::FLOAT32:
      return memory::data_type::f32;
    case NetworkDescription::BFLOAT16:
      return memory::data_type::bf16;
    case NetworkDescription::AUTO:
      break;
  }
  DOWNPOUR_CHECK(false);
}

dnnl::algorithm Eltwise(NetworkDescription::Nonlinearity nonlinearity) {
  switch (nonlinearity) {
    case NetworkDescription::LOGISTIC:
      return dnnl::algorithm::eltwise_logistic;
    case NetworkDescription::TANH:
      return dnnl::algorithm::eltwise_tanh;
    case NetworkDescription::RELU:
      break;
  }
  DOWNPOUR_CHECK(false);
}

dnnl::primitive_attr Attributes(const MatrixProduct& product) {
  dnnl::primitive_attr attributes;
  // oneDNN's own scratchpad belongs to the thread that made the primitive; another one may use the network.
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (product.nonlinearity.has_value()) {
    dnnl::post_ops post_ops;
#if DNNL_VERSION_MAJOR >= 3
    post_ops.append_eltwise(Eltwise(*product.nonlinearity), 0, 0);
#else
    post_ops.append_eltwise(1, Eltwise(*product.nonlinearity), 0, 0);
#endif
    attributes.set_post_ops(post_ops);
  }
  return attributes;
}

memory::desc Matrix(int64_t rows, int64_t columns, memory::data_type type, bool transposed = false,
                    int64_t stride = 0) {
  const int64_t step = stride != 0 ? stride : transposed ? rows : columns;
  return memory::desc({rows, columns}, type, transposed ? memory::dims{1, step} : memory::dims{step, 1});
}

dnnl::matmul::primitive_desc Describe(const MatrixProduct& product, const memory::desc& a,
                                      const memory::desc& b, memory::data_type output,
                                      const dnnl::engine& engine) {
  const memory::desc c =
      Matrix(product.rows, product.columns, output, /*transposed=*/false, product.c_stride);
  const memory::desc bias =
      product.has_bias ? memory::desc({1, product.columns}, memory::data_type::f32, memory::format_tag::ab)
                       : memory::desc();
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul::primitive_desc(engine, a, b, bias, c, Attributes(product));
#else
  return dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, bias, c), Attributes(product), engine);
#endif
}

// While it lives, OpenMP gives one thread, for which oneDNN then plans its primitives.
class OneThread {
 public:
  OneThread() { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(threads_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  const int threads_ = omp_get_max_threads();
};

template <typename Element>
absl::Span<const Element> Elements(const std::vector<char>& memory, int64_t size) {
  return {reinterpret_cast<const Element*>(memory.data()), static_cast<size_t>(size)};
}

absl::Status DnnlError(const dnnl::error& error) {
  return absl::InternalError(absl::StrCat("oneDNN: ", error.what()));
}

}  // namespace

struct MatrixProducts::State {
  explicit State(memory::data_type data_type) : input(data_type) {}

  memory::data_type input;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  absl::flat_hash_map<MatrixProduct, Prepared> products;
  absl::flat_hash_map<std::pair<MatrixProduct, memory::data_type>, PreparedRows> by_rows;
  absl::flat_hash_map<int64_t, Reordering> conversions;  // by the number of values
  std::vector<Block> blocks;                             // one for each thread
  std::vector<char> padded_b, packed_b;

  memory At(const memory::desc& desc, const void* data) const {
    return memory(desc, engine, const_cast<void*>(data));
  }

  Prepared Prepare(const MatrixProduct& product, const memory::desc& a, const memory::desc& b,
                   memory::data_type output = memory::data_type::f32) const {
    const auto desc = Describe(product, a, b, output, engine);
    return {dnnl::matmul(desc),  desc.src_desc(),
            desc.weights_desc(), product.has_bias ? desc.bias_desc() : memory::desc(),
            desc.dst_desc(),     desc.scratchpad_desc()};
  }

  // Returns a copy, since preparing another product may move what the map holds.
  Prepared Product(const MatrixProduct& product) {
    if (const auto found = products.find(product); found != products.end()) return found->second;
    if (products.size() >= kMaxPrepared) products.clear();
    return products[product] =
               Prepare(product, Matrix(product.rows, product.inner, input, product.transpose_a),
                       Matrix(product.inner, product.columns, input, product.transpose_b, product.b_stride));
  }

  Reordering PrepareReorder(const memory::desc& from, const memory::desc& to) const {
    return {from, to, dnnl::reorder(dnnl::reorder::primitive_desc(engine, from, engine, to))};
  }

  const PreparedRows& ByRows(const MatrixProduct& product, memory::data_type output) {
    const std::pair key(product, output);
    if (const auto found = by_rows.find(key); found != by_rows.end()) return found->second;
    if (by_rows.size() >= kMaxPrepared) by_rows.clear();
    PreparedRows prepared;
    prepared.rows = std::min(kBlockRows, product.rows);
    const int64_t inner_step = input == memory::data_type::bf16 ? kInnerStep : 1;
    const int64_t inner = (product.inner + inner_step - 1) / inner_step * inner_step;
    const auto transpose = [&](int64_t columns) {
      return PrepareReorder(Matrix(columns, product.inner, input, /*transposed=*/true, product.rows),
                            Matrix(columns, product.inner, input, /*transposed=*/false, inner));
    };
    {
      const OneThread planned_for;
      prepared.block =
          Prepare({.rows = prepared.rows, .columns = product.columns, .inner = inner},
                  Matrix(prepared.rows, inner, input),
                  memory::desc({inner, product.columns}, input, memory::format_tag::any), output);
      prepared.transpose = transpose(prepared.rows);
      prepared.transpose_last = transpose((product.rows - 1) % prepared.rows + 1);
    }
    prepared.pack = PrepareReorder(Matrix(inner, product.columns, input), prepared.block.b);
    return by_rows[key] = std::move(prepared);
  }

  // Returns `b`, of `bytes` bytes, packed and padded.
  const void* Pack(const PreparedRows& prepared, const void* b, size_t bytes) {
    if (const size_t padded_bytes = prepared.pack.from.get_size(); padded_bytes > bytes) {
      padded_b.resize(std::max(padded_b.size(), padded_bytes));
      std::memcpy(padded_b.data(), b, bytes);
      std::memset(padded_b.data() + bytes, 0, padded_bytes - bytes);
      b = padded_b.data();
    }
    packed_b.resize(std::max(packed_b.size(), prepared.pack.to.get_size()));
    Execute(prepared.pack, b, packed_b.data());
    return packed_b.data();
  }

  void Execute(const Reordering& reordering, const void* from, void* to) {
    memory source = At(reordering.from, from);
    memory destination = At(reordering.to, to);
    dnnl::stream own_stream(engine);
    reordering.primitive.execute(own_stream, source, destination);
    own_stream.wait();
  }

  void Convert(absl::Span<const float> values, uint16_t* bfloat16) {
    const auto size = static_cast<int64_t>(values.size());
    if (conversions.size() >= kMaxPrepared && !conversions.contains(size)) conversions.clear();
    Reordering& conversion = conversions[size];
    if (!conversion.primitive) {
      const auto vector = [size](memory::data_type type) {
        return memory::desc({size}, type, memory::format_tag::a);
      };
      conversion = PrepareReorder(vector(memory::data_type::f32), vector(memory::data_type::bf16));
    }
    Execute(conversion, values.data(), bfloat16);
  }

  // Makes a block for every thread. Must be called before several of them execute.
  void Reserve() { blocks.resize(std::max<size_t>(blocks.size(), omp_get_max_threads())); }

  // Uses the calling thread's block, so that several threads may execute at once. `bias` may be null.
  void Execute(const Prepared& prepared, const void* a, const void* b, const float* bias, void* c) {
    std::vector<char>& scratchpad = blocks[omp_get_thread_num()].scratchpad;
    scratchpad.resize(std::max(scratchpad.size(), prepared.scratchpad.get_size()));
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, At(prepared.a, a)},
        {DNNL_ARG_WEIGHTS, At(prepared.b, b)},
        {DNNL_ARG_DST, At(prepared.c, c)},
        {DNNL_ARG_SCRATCHPAD, At(prepared.scratchpad, scratchpad.data())}};
    if (bias != nullptr) arguments.emplace(DNNL_ARG_BIAS, At(prepared.bias, bias));
    dnnl::stream own_stream(engine);
    prepared.primitive.execute(own_stream, arguments);
    own_stream.wait();
  }

  // Calls compute(first, size) for parts of [0, whole) of size `step`, the last of which may be smaller. Each
  // part is computed by one thread, and all threads take part.
  template <typename Compute>
  static absl::Status ForEachPart(int64_t whole, int64_t step, Compute compute) {
    absl::Mutex mutex;
    absl::Status status;
#pragma omp parallel for schedule(dynamic)
    for (int64_t first = 0; first < whole; first += step) {
      try {
        compute(first, std::min(step, whole - first));
      } catch (const dnnl::error& error) {
        absl::MutexLock lock(&mutex);
        status = DnnlError(error);
      }
    }
    return status;
  }
};

MatrixProducts::MatrixProducts(NetworkDescription::Precision precision)
    : state_(std::make_unique<State>(InputType(precision))) {}

MatrixProducts::~MatrixProducts() = default;

absl::Status MatrixProducts::Load(TensorView values, Operand* operand) {
  const bool wants_bfloat16 = state_->input == memory::data_type::bf16;
  if (values.is_bfloat16() == wants_bfloat16) {
    operand->data_ = values.bytes().data();
  } else if (wants_bfloat16) {
    operand->bfloat16_.resize(values.size());
    operand->data_ = operand->bfloat16_.data();
    try {
      state_->Convert(values.floats(), operand->bfloat16_.data());
    } catch (const dnnl::error& error) {
      return DnnlError(error);
    }
  } else {
    operand->float32_.resize(values.size());
    operand->data_ = operand->float32_.data();
    FromBfloat16(values.bfloats(), absl::MakeSpan(operand->float32_));
  }
  return absl::OkStatus();
}

absl::Status MatrixProducts::Compute(const MatrixProduct& product, const Operand& a, const Operand& b,
                                     const float* bias, float* c) {
  if (!product.has_bias) bias = nullptr;
  state_->Reserve();
  try {
    if (product.rows >= std::min(product.inner, product.columns) ||
        product.columns < kPanelColumns * omp_get_max_threads()) {
      state_->Execute(state_->Product(product), a.data_, b.data_, bias, c);
      return absl::OkStatus();
    }
    MatrixProduct part = product;
    part.b_stride = product.transpose_b ? product.inner : product.columns;
    part.c_stride = product.columns;
    const auto prepare = [&](int64_t columns) {
      const OneThread planned_for;
      part.columns = columns;
      return state_->Product(part);
    };
    const Prepared panel = prepare(kPanelColumns);
    const Prepared last = prepare((product.columns - 1) % kPanelColumns + 1);
    const auto column_bytes = static_cast<int64_t>((product.transpose_b ? product.inner : 1) *
                                                   memory::data_type_size(state_->input));
    return State::ForEachPart(product.columns, kPanelColumns, [&](int64_t first, int64_t columns) {
      state_->Execute(columns == kPanelColumns ? panel : last, a.data_,
                      static_cast<const char*>(b.data_) + first * column_bytes,
                      bias == nullptr ? nullptr : bias + first, c + first);
    });
  } catch (const dnnl::error& error) {
    return DnnlError(error);
  }
}

absl::StatusOr<bool> MatrixProducts::ComputeByRows(const MatrixProduct& product, const Operand& a,
                                                   const Operand& b, MutableTensorView c) {
  DOWNPOUR_CHECK(product.transpose_a && !product.transpose_b && product.b_stride == 0 &&
                 product.c_stride == 0 && !product.has_bias && !product.nonlinearity.has_value());
  const int64_t columns = product.columns;
  const size_t element_bytes = memory::data_type_size(state_->input);
  // oneDNN gives results in bfloat16 only if its inputs are.
  const bool rounds = c.is_bfloat16() && state_->input == memory::data_type::bf16;
  std::atomic<bool> finite = true;
  state_->Reserve();
  try {
    const PreparedRows& prepared =
        state_->ByRows(product, rounds ? memory::data_type::bf16 : memory::data_type::f32);
    const int64_t step = prepared.rows;
    const void* const packed_b = state_->Pack(prepared, b.data_, product.inner * columns * element_bytes);
    RETURN_IF_ERROR(State::ForEachPart(product.rows, step, [&](int64_t first, int64_t size) {
      Block& block = state_->blocks[omp_get_thread_num()];
      block.a.assign(prepared.block.a.get_size(), 0);
      state_->Execute(size == step ? prepared.transpose : prepared.transpose_last,
                      static_cast<const char*>(a.data_) + first * element_bytes, block.a.data());
      block.c.resize(prepared.block.c.get_size());
      state_->Execute(prepared.block, block.a.data(), packed_b, nullptr, block.c.data());
      const TensorView rows = rounds ? TensorView(Elements<uint16_t>(block.c, size * columns))
                                     : TensorView(Elements<float>(block.c, size * columns));
      if (!StoreGradient(rows, c[{first * columns, (first + size) * columns}])) finite = false;
    }));
  } catch (const dnnl::error& error) {
    return DnnlError(error);
  }
  return finite.load();
}

bool StoreGradient(TensorView values, MutableTensorView place) {
  if (values.is_bfloat16() != place.is_bfloat16()) {
    ToBfloat16(values.floats(), place.bfloats());
    return AllFinite(TensorView(place.bfloats()));
  }
  CopyPastCaches(values.bytes(), place.bytes().data());
  return AllFinite(values);
}

}  // namespace downpour
