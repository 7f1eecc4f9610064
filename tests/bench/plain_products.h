// Where on the data's way: for the benchmarks of worker/network/: the matrix products in one gradient of the
// paper's network, called as oneDNN's documentation shows.
#ifndef DOWNPOUR_TESTS_BENCH_PLAIN_PRODUCTS_H_
#define DOWNPOUR_TESTS_BENCH_PLAIN_PRODUCTS_H_

#include <cstdint>
#include <oneapi/dnnl/dnnl.hpp>
#include <unordered_map>
#include <vector>

#include "common/layout/parameter_layout.h"
#include "proto/config.pb.h"

namespace downpour {

// Each call computes one whole product on all threads, of row-major matrices in memory, with float32 results.
// Each layer has one forward and two backward products; the first layer needs no gradient of its input.
class PlainProducts {
 public:
  PlainProducts(const ParameterLayout& layout, int64_t frames, NetworkDescription::Precision precision)
      : type_(precision == NetworkDescription::BFLOAT16 ? dnnl::memory::data_type::bf16
                                                        : dnnl::memory::data_type::f32) {
    using Tag = dnnl::memory::format_tag;
    for (const ParameterLayout::Tensor& tensor : layout.tensors()) {
      if (tensor.shape.size() != 2) continue;
      const int64_t outputs = tensor.shape[0];
      const int64_t inputs = tensor.shape[1];
      Add({frames, inputs}, Tag::ab, {inputs, outputs}, Tag::ba);
      Add({outputs, frames}, Tag::ba, {frames, inputs}, Tag::ab);
      if (products_.size() > 2) Add({frames, outputs}, Tag::ab, {outputs, inputs}, Tag::ab);
    }
  }

  void Compute() {
    for (const Product& product : products_) product.primitive.execute(stream_, product.arguments);
    stream_.wait();
  }

 private:
  struct Product {
    dnnl::matmul primitive;
    std::unordered_map<int, dnnl::memory> arguments;
  };

  void Add(const dnnl::memory::dims& a_dims, dnnl::memory::format_tag a_tag, const dnnl::memory::dims& b_dims,
           dnnl::memory::format_tag b_tag) {
    const dnnl::memory::desc a(a_dims, type_, a_tag), b(b_dims, type_, b_tag),
        c({a_dims[0], b_dims[1]}, dnnl::memory::data_type::f32, dnnl::memory::format_tag::ab);
#if DNNL_VERSION_MAJOR >= 3
    const dnnl::matmul::primitive_desc desc(engine_, a, b, c);
#else
    const dnnl::matmul::primitive_desc desc(dnnl::matmul::desc(a, b, c), engine_);
#endif
    products_.push_back(
        {dnnl::matmul(desc),
         {{DNNL_ARG_SRC, Filled(a)}, {DNNL_ARG_WEIGHTS, Filled(b)}, {DNNL_ARG_DST, Filled(c)}}});
  }

  dnnl::memory Filled(const dnnl::memory::desc& desc) {
    return {desc, engine_, memory_.emplace_back(desc.get_size(), kFill).data()};
  }

  static constexpr char kFill = 0x3f;  // 0.75 in either type

  const dnnl::memory::data_type type_;
  dnnl::engine engine_{dnnl::engine::kind::cpu, 0};
  dnnl::stream stream_{engine_};
  std::vector<std::vector<char>> memory_;
  std::vector<Product> products_;
};

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_BENCH_PLAIN_PRODUCTS_H_
