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

// Memory comes with each execution.
struct Prepared {
  dnnl::matmul primitive;
  memory::desc a, b, bias, c, scratchpad;
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

}  // namespace

struct MatrixProducts::State {
  explicit State(memory::data_type data_type) : input(data_type) {}

  memory::data_type input;
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream{engine};
  absl::flat_hash_map<MatrixProduct, Prepared> products;
  absl::flat_hash_map<int64_t, dnnl::reorder> conversions;  // by number of values
  std::vector<Block> blocks;                                // one for each thread

  memory At(const memory::desc& desc, const void* data) const {
    return memory(desc, engine, const_cast<void*>(data));
  }

  // A copy, since preparing another product may move what is kept.
  Prepared Product(const MatrixProduct& product) {
    if (const auto found = products.find(product); found != products.end()) return found->second;
    if (products.size() >= kMaxPrepared) products.clear();
    const auto desc = Describe(product, input, engine);
    return products[product] = {dnnl::matmul(desc),  desc.src_desc(),
                                desc.weights_desc(), product.has_bias ? desc.bias_desc() : memory::desc(),
                                desc.dst_desc(),     desc.scratchpad_desc()};
  }

  void Convert(const float* values, int64_t size, uint16_t* bfloat16) {
    memory from = At({{size}, memory::data_type::f32, memory::format_tag::a}, values);
    memory to = At({{size}, memory::data_type::bf16, memory::format_tag::a}, bfloat16);
    if (conversions.size() >= kMaxPrepared && !conversions.contains(size)) conversions.clear();
    dnnl::reorder& conversion = conversions[size];
    if (!conversion) conversion = dnnl::reorder(from, to);
    conversion.execute(stream, from, to);
    stream.wait();
  }

  // Blocks for all threads, before any of them executes.
  void Reserve() { blocks.resize(std::max<size_t>(blocks.size(), omp_get_max_threads())); }

  // With the block of the calling thread, so that several threads may do so at once. `bias` or nullptr.
  void Execute(const Prepared& prepared, const void* a, const void* b, const float* bias, float* c) {
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

  // compute(first, size, prepared) for parts of `product` of `step` rows or columns, whichever `extent` names, and what
  // remains; on all threads, each part on one, for which it is planned.
  template <typename Compute>
  absl::Status ForEachPart(MatrixProduct product, int64_t MatrixProduct::*extent, int64_t step,
                           Compute compute) {
    const int64_t whole = product.*extent;
    const auto prepare = [&](int64_t part) {
      const OneThread planned_for;
      product.*extent = part;
      return Product(product);
    };
    const Prepared prepared = prepare(std::min(step, whole));
    const Prepared last = prepare((whole - 1) % step + 1);
    absl::Mutex mutex;
    absl::Status status;
#pragma omp parallel for schedule(dynamic)
    for (int64_t first = 0; first < whole; first += step) {
      const int64_t size = std::min(step, whole - first);
      try {
        compute(first, size, first + size == whole ? last : prepared);
      } catch (const dnnl::error& error) {
        absl::MutexLock lock(&mutex);
        status = DnnlError(error);
      }
    }
    return status;
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
    state_->Convert(values, size, operand->bfloat16_.data());
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
  if (!product.has_bias) bias = nullptr;
  state_->Reserve();
  try {
    if (product.rows >= std::min(product.inner, product.columns) ||
        product.columns < kPanelColumns * omp_get_max_threads()) {
      state_->Execute(state_->Product(product), a.data_, b.data_, bias, c);
      return absl::OkStatus();
    }
    MatrixProduct panels = product;
    panels.b_stride = product.transpose_b ? product.inner : product.columns;
    panels.c_stride = product.columns;
    const auto column_bytes = static_cast<int64_t>((product.transpose_b ? product.inner : 1) *
                                                   memory::data_type_size(state_->input));
    return state_->ForEachPart(
        panels, &MatrixProduct::columns, kPanelColumns, [&](int64_t first, int64_t, const Prepared& panel) {
          state_->Execute(panel, a.data_, static_cast<const char*>(b.data_) + first * column_bytes,
                          bias == nullptr ? nullptr : bias + first, c + first);
        });
  } catch (const dnnl::error& error) {
    return DnnlError(error);
  }
}

absl::Status MatrixProducts::ComputeByRows(const MatrixProduct& product, const Operand& a, const Operand& b,
                                           UseRows use) {
  DOWNPOUR_CHECK(product.transpose_a && !product.has_bias && !product.nonlinearity.has_value());
  constexpr int64_t kBlockRows = 64;  // of 2,560 columns take half of a large second-level cache
  MatrixProduct blocks = product;
  blocks.a_stride = product.rows;
  const size_t element_bytes = memory::data_type_size(state_->input);
  state_->Reserve();
  try {
    return state_->ForEachPart(
        blocks, &MatrixProduct::rows, kBlockRows, [&](int64_t first, int64_t size, const Prepared& block) {
          std::vector<float>& rows = state_->blocks[omp_get_thread_num()].rows;
          rows.resize(size * product.columns);
          state_->Execute(block, static_cast<const char*>(a.data_) + first * element_bytes, b.data_, nullptr,
                          rows.data());
          use(first, rows);
        });
  } catch (const dnnl::error& error) {
    return DnnlError(error);
  }
}

}  // namespace downpour
