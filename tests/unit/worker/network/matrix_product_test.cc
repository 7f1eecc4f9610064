// Where on the data's way: inside the network; its matrix products against sums in double, whole and in panels of columns.
#include "worker/network/matrix_product.h"

#include <omp.h>

#include <cmath>
#include <tuple>
#include <vector>

#include "common/random.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

using ::testing::DoubleNear;
using ::testing::Pointwise;

std::vector<float> Values(int64_t size) {
  Random random(size);
  std::vector<float> values(size);
  for (float& value : values) value = static_cast<float>(random.Normal());
  return values;
}

// Rows, threads, B transposed, with bias and TANH. 700 columns are two panels and a rest; 24 rows of 20 inner ones make
// the product one that is not computed in panels.
class MatrixProductTest : public ::testing::TestWithParam<std::tuple<int64_t, int, bool, bool>> {};

TEST_P(MatrixProductTest, IsTheSumOfProducts) {
  const auto [rows, threads, transpose_b, activated] = GetParam();
  MatrixProduct product{
      .rows = rows, .columns = 700, .inner = 20, .transpose_b = transpose_b, .has_bias = activated};
  if (activated) product.nonlinearity = NetworkDescription::TANH;
  const std::vector<float> a = Values(rows * product.inner);
  const std::vector<float> b = Values(product.inner * product.columns);
  const std::vector<float> bias = Values(product.columns);
  MatrixProducts products(NetworkDescription::FLOAT32);
  Operand a_operand, b_operand;
  ASSERT_TRUE(products.Load(a.data(), static_cast<int64_t>(a.size()), &a_operand).ok());
  ASSERT_TRUE(products.Load(b.data(), static_cast<int64_t>(b.size()), &b_operand).ok());
  std::vector<float> c(rows * product.columns, NAN);
  omp_set_num_threads(threads);
  const absl::Status status = products.Compute(product, a_operand, b_operand, bias.data(), c.data());
  ASSERT_TRUE(status.ok()) << status;

  std::vector<double> wanted;
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t column = 0; column < product.columns; ++column) {
      double sum = activated ? bias[column] : 0;
      for (int64_t i = 0; i < product.inner; ++i)
        sum += double{a[row * product.inner + i]} *
               b[transpose_b ? column * product.inner + i : i * product.columns + column];
      wanted.push_back(activated ? std::tanh(sum) : sum);
    }
  }
  EXPECT_THAT(c, Pointwise(DoubleNear(1e-4), wanted));
}

INSTANTIATE_TEST_SUITE_P(WholeAndInPanels, MatrixProductTest,
                         ::testing::Combine(::testing::Values(1, 7, 24), ::testing::Values(1, 2, 3),
                                            ::testing::Bool(), ::testing::Bool()));

}  // namespace
}  // namespace downpour
