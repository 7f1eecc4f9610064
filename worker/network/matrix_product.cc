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
  const auto matrix = [input](int64_t rows, int64_t columns, bool transpose) {
    return memory::desc({rows, columns}, input, transpose ? memory::format_tag::ba : memory::format_tag::ab);
  };
  const memory::dims stride = {1, product.a_stride};
  const memory::desc a = product.a_stride == 0 ? matrix(product.rows, product.inner, product.transpose_a)
                                               : memory::desc({product.rows, product.inner}, input, stride);
  const memory::desc b = matrix(product.inner, product.columns, product.transpose_b);
  const memory::desc c({product.rows, product.columns}, memory::data_type::f32, memory::format_tag::ab);
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

  // On one thread and in its own scratchpad, so that several threads may do so at once.
  void Execute(const Prepared& prepared, const void* a, const void* b, float* c,
               std::vector<char>* scratchpad) const {
    const auto desc = [&](int argument) { return prepared.arguments.at(argument).get_desc(); };
    const memory::desc scratchpad_desc = desc(DNNL_ARG_SCRATCHPAD);
    scratchpad->resize(std::max(scratchpad->size(), scratchpad_desc.get_size()));
    dnnl::stream own_stream(engine);
    prepared.primitive.execute(
        own_stream, {{DNNL_ARG_SRC, memory(desc(DNNL_ARG_SRC), engine, const_cast<void*>(a))},
                     {DNNL_ARG_WEIGHTS, memory(desc(DNNL_ARG_WEIGHTS), engine, const_cast<void*>(b))},
                     {DNNL_ARG_DST, memory(desc(DNNL_ARG_DST), engine, c)},
                     {DNNL_ARG_SCRATCHPAD, memory(scratchpad_desc, engine, scratchpad->data())}});
    own_stream.wait();
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
  std::vector<Block>& blocks = state_->blocks;
  blocks.resize(std::max<size_t>(blocks.size(), omp_get_max_threads()));
  absl::Mutex mutex;
  absl::Status status;
  try {
    Prepared prepared, last;  // copies: preparing one may move the other
    {
      const OneThread planned_for;
      prepared = state_->Product(block);
      block.rows = last_rows;
      last = state_->Product(block);
    }
    const size_t element_bytes = memory::data_type_size(state_->input);
#pragma omp parallel for schedule(dynamic)
    for (int64_t first_row = 0; first_row < product.rows; first_row += kBlockRows) {
      Block& own = blocks[omp_get_thread_num()];
      const bool is_last = first_row + kBlockRows >= product.rows;
      own.rows.resize((is_last ? last_rows : kBlockRows) * product.columns);
      try {
        state_->Execute(is_last ? last : prepared,
                        static_cast<const char*>(a.data_) + first_row * element_bytes, b.data_,
                        own.rows.data(), &own.scratchpad);
        use(first_row, own.rows);
      } catch (const dnnl::error& error) {
        absl::MutexLock lock(&mutex);
        status = DnnlError(error);
      }
    }
  } catch (const dnnl::error& error) {
    return DnnlError(error);
  }
  return status;
}

}  // namespace downpour
