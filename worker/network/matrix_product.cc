// Where on the data's way: inside the network; its matrix products, computed by oneDNN.
#include "worker/network/matrix_product.h"

#include <omp.h>

#include <algorithm>
#include <cstddef>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/bfloat16.h"
#include "common/check.h"

namespace downpour {
namespace {

using dnnl::memory;

// Shapes differ by the frames of the last minibatches of an epoch alone; this many are enough for any
// network.
constexpr size_t kMaxPrepared = 256;

constexpr int64_t kPanelColumns = 320;  // 2,560 are 8 panels, 8,000 are 25

struct Prepared {
  dnnl::primitive primitive;
  std::unordered_map<int, memory> arguments;
};

// What a thread needs for the rows that it computes.
struct Block {
  std::vector<float> rows;
  std::vector<char> scratchpad;
};

dnnl::algorithm Eltwise(NetworkDescription::Nonlinearity nonlinearity) {
  DOWNPOUR_CHECK(nonlinearity != NetworkDescription::RELU);
  return nonlinearity == NetworkDescription::TANH ? dnnl::algorithm::eltwise_tanh
                                                  : dnnl::algorithm::eltwise_logistic;
}

dnnl::primitive_attr Attributes(const MatrixProduct& product) {
  dnnl::primitive_attr attributes;
  // oneDNN's own scratchpad belongs to the thread that made the primitive; ours goes where the network goes.
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

dnnl::matmul::primitive_desc Describe(const MatrixProduct& product, memory::data_type input,
                                      const dnnl::engine& engine) {
  const auto matrix = [input](int64_t rows, int64_t columns, bool transpose, int64_t stride) {
    const int64_t stored_columns = transpose ? rows : columns;
    const int64_t step = stride == 0 ? stored_columns : stride;
    return memory::desc({rows, columns}, input, transpose ? memory::dims{1, step} : memory::dims{step, 1});
  };
  const memory::desc a = matrix(product.rows, product.inner, product.transpose_a, product.a_stride);
  const memory::desc b = matrix(product.inner, product.columns, product.transpose_b, product.b_stride);
  const memory::desc c({product.rows, product.columns}, memory::data_type::f32,
                       memory::dims{product.c_stride == 0 ? product.columns : product.c_stride, 1});
  const memory::desc bias =
      product.has_bias ? memory::desc({1, product.columns}, memory::data_type::f32, memory::format_tag::ab)
                       : memory::desc();
#if DNNL_VERSION_MAJOR >= 3
  return dnnl::matmul::primitive_desc(engine, a, b, bias, c, Attributes(product));
#else
  return dnnl::matmul::primitive_desc(dnnl::matmul::desc(a, b, bias, c), Attributes(product), engine);
#endif
}

// oneDNN plans a primitive for as many threads as OpenMP would give it.
class OneThread {
 public:
  OneThread() { omp_set_num_threads(1); }
  ~OneThread() { omp_set_num_threads(threads_); }
  OneThread(const OneThread&) = delete;
  OneThread& operator=(const OneThread&) = delete;

 private:
  const int threads_ = omp_get_max_threads();
};

absl::Status DnnlError(const dnnl::error& error) {
  return absl::InternalError(absl::StrCat("oneDNN: ", error.what()));
}

void SetData(Prepared& prepared, int argument, const void* data) {
  prepared.arguments.at(argument).set_data_handle(const_cast<void*>(data));
}

}  // namespace

struct MatrixProducts::State {
  explicit State(memory::data_type data_type) : input(data_type) {}

  memory::data_type input;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  absl::flat_hash_map<MatrixProduct, Prepared> products;
  absl::flat_hash_map<int64_t, Prepared> conversions;  // by number of values
  std::vector<Block> blocks;                           // one for each thread

  memory Unbound(const memory::desc& desc) { return memory(desc, engine, nullptr); }

  Prepared& Product(const MatrixProduct& product) {
    if (const auto found = products.find(product); found != products.end()) return found->second;
    if (products.size() >= kMaxPrepared) products.clear();
    const auto desc = Describe(product, input, engine);
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, Unbound(desc.src_desc())},
        {DNNL_ARG_WEIGHTS, Unbound(desc.weights_desc())},
        {DNNL_ARG_DST, Unbound(desc.dst_desc())},
        {DNNL_ARG_SCRATCHPAD, memory(desc.scratchpad_desc(), engine)},
    };
    if (product.has_bias) arguments.emplace(DNNL_ARG_BIAS, Unbound(desc.bias_desc()));
    return products[product] = {dnnl::matmul(desc), std::move(arguments)};
  }

  Prepared& Conversion(int64_t size) {
    if (const auto found = conversions.find(size); found != conversions.end()) return found->second;
    if (conversions.size() >= kMaxPrepared) conversions.clear();
    const memory from = Unbound({{size}, memory::data_type::f32, memory::format_tag::a});
    const memory to = Unbound({{size}, memory::data_type::bf16, memory::format_tag::a});
    return conversions[size] = {dnnl::reorder(from, to), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}};
  }

  // Planned for one thread; a copy, since preparing another may move it.
  Prepared ProductOnOneThread(const MatrixProduct& product) {
    const OneThread planned_for;
    return Product(product);
  }

  // On one thread and in its own scratchpad, so that several threads may do so at once. `bias` or nullptr.
  void Execute(const Prepared& prepared, const void* a, const void* b, const float* bias, float* c,
               std::vector<char>* scratchpad) const {
    const auto desc = [&](int argument) { return prepared.arguments.at(argument).get_desc(); };
    const memory::desc scratchpad_desc = desc(DNNL_ARG_SCRATCHPAD);
    scratchpad->resize(std::max(scratchpad->size(), scratchpad_desc.get_size()));
    dnnl::stream own_stream(engine);
    std::unordered_map<int, memory> arguments = {
        {DNNL_ARG_SRC, memory(desc(DNNL_ARG_SRC), engine, const_cast<void*>(a))},
        {DNNL_ARG_WEIGHTS, memory(desc(DNNL_ARG_WEIGHTS), engine, const_cast<void*>(b))},
        {DNNL_ARG_DST, memory(desc(DNNL_ARG_DST), engine, c)},
        {DNNL_ARG_SCRATCHPAD, memory(scratchpad_desc, engine, scratchpad->data())}};
    if (bias != nullptr)
      arguments.emplace(DNNL_ARG_BIAS, memory(desc(DNNL_ARG_BIAS), engine, const_cast<float*>(bias)));
    prepared.primitive.execute(own_stream, arguments);
    own_stream.wait();
  }

  // compute(first, is_last, block of the thread) for the parts of `size` in steps of `step`, on all threads.
  template <typename Compute>
  absl::Status ForEachPart(int64_t size, int64_t step, Compute compute) {
    blocks.resize(std::max<size_t>(blocks.size(), omp_get_max_threads()));
    absl::Mutex mutex;
    absl::Status status;
#pragma omp parallel for schedule(dynamic)
    for (int64_t first = 0; first < size; first += step) {
      try {
        compute(first, first + step >= size, blocks[omp_get_thread_num()]);
      } catch (const dnnl::error& error) {
        absl::MutexLock lock(&mutex);
        status = DnnlError(error);
      }
    }
    return status;
  }

  absl::Status ComputePanels(const MatrixProduct& product, const char* a, const char* b, const float* bias,
                             float* c) {
    MatrixProduct panel = product;
    panel.columns = kPanelColumns;
    panel.b_stride = product.transpose_b ? product.inner : product.columns;
    panel.c_stride = product.columns;
    const Prepared prepared = ProductOnOneThread(panel);
    panel.columns = (product.columns - 1) % kPanelColumns + 1;
    const Prepared last = ProductOnOneThread(panel);
    const auto b_step =
        static_cast<int64_t>((product.transpose_b ? product.inner : 1) * memory::data_type_size(input));
    return ForEachPart(product.columns, kPanelColumns, [&](int64_t first, bool is_last, Block& own) {
      Execute(is_last ? last : prepared, a, b + first * b_step, product.has_bias ? bias + first : nullptr,
              c + first, &own.scratchpad);
    });
  }

  void Execute(Prepared& prepared) {
    prepared.primitive.execute(stream, prepared.arguments);
    stream.wait();
  }
};

MatrixProducts::MatrixProducts(NetworkDescription::Precision precision)
    : state_(std::make_unique<State>(precision == NetworkDescription::BFLOAT16 ? memory::data_type::bf16
                                                                               : memory::data_type::f32)) {
  DOWNPOUR_CHECK(precision != NetworkDescription::AUTO);
}

MatrixProducts::~MatrixProducts() = default;

absl::Status MatrixProducts::Load(const float* values, int64_t size, Operand* operand) {
  operand->data_ = values;
  if (state_->input == memory::data_type::f32) return absl::OkStatus();
  operand->bfloat16_.resize(size);
  operand->data_ = operand->bfloat16_.data();
  try {
    Prepared& conversion = state_->Conversion(size);
    SetData(conversion, DNNL_ARG_FROM, values);
    SetData(conversion, DNNL_ARG_TO, operand->data_);
    state_->Execute(conversion);
  } catch (const dnnl::error& error) {
    return DnnlError(error);
  }
  return absl::OkStatus();
}

absl::Status MatrixProducts::Load(TensorView values, Operand* operand) {
  const absl::Span<const uint16_t> bfloats = values.bfloats();
  if (bfloats.empty()) return Load(values.floats().data(), static_cast<int64_t>(values.size()), operand);
  operand->data_ = bfloats.data();
  if (state_->input == memory::data_type::bf16) return absl::OkStatus();
  operand->float32_.resize(bfloats.size());
  FromBfloat16(bfloats, absl::MakeSpan(operand->float32_));
  operand->data_ = operand->float32_.data();
  return absl::OkStatus();
}

absl::Status MatrixProducts::Compute(const MatrixProduct& product, const Operand& a, const Operand& b,
                                     const float* bias, float* c) {
  try {
    if (product.rows < std::min(product.inner, product.columns) &&
        product.columns >= kPanelColumns * omp_get_max_threads()) {
      return state_->ComputePanels(product, static_cast<const char*>(a.data_),
                                   static_cast<const char*>(b.data_), bias, c);
    }
    Prepared& prepared = state_->Product(product);
    SetData(prepared, DNNL_ARG_SRC, a.data_);
    SetData(prepared, DNNL_ARG_WEIGHTS, b.data_);
    SetData(prepared, DNNL_ARG_DST, c);
    if (product.has_bias) SetData(prepared, DNNL_ARG_BIAS, bias);
    state_->Execute(prepared);
  } catch (const dnnl::error& error) {
    return DnnlError(error);
  }
  return absl::OkStatus();
}

absl::Status MatrixProducts::ComputeByRows(const MatrixProduct& product, const Operand& a, const Operand& b,
                                           UseRows use) {
  DOWNPOUR_CHECK(product.transpose_a && !product.has_bias && !product.nonlinearity.has_value());
  constexpr int64_t kBlockRows = 64;  // of 2,560 columns take half of a large second-level cache
  MatrixProduct block = product;
  block.rows = std::min(kBlockRows, product.rows);
  block.a_stride = product.rows;
  const int64_t last_rows = (product.rows - 1) % block.rows + 1;
  const size_t element_bytes = memory::data_type_size(state_->input);
  try {
    const Prepared prepared = state_->ProductOnOneThread(block);
    block.rows = last_rows;
    const Prepared last = state_->ProductOnOneThread(block);
    return state_->ForEachPart(product.rows, kBlockRows, [&](int64_t first_row, bool is_last, Block& own) {
      own.rows.resize((is_last ? last_rows : kBlockRows) * product.columns);
      state_->Execute(is_last ? last : prepared,
                      static_cast<const char*>(a.data_) + first_row * element_bytes, b.data_, nullptr,
                      own.rows.data(), &own.scratchpad);
      use(first_row, own.rows);
    });
  } catch (const dnnl::error& error) {
    return DnnlError(error);
  }
}

}  // namespace downpour
