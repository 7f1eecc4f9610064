// Where on the data's way: inside the network; matrix products against sums in double: whole, in panels of
// columns, and in blocks of rows.
#include "worker/network/matrix_product.h"

#include <omp.h>

#include <cmath>
#include <optional>
#include <tuple>
#include <vector>

#include "common/random.h"
#include "common/tensor/bfloat16.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "worker/network/precision.h"

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

// Parameters: rows, threads, whether B is transposed, whether there are bias and TANH. 700 columns are two
// panels and a rest. With 24 rows, more than `inner` 20, a product is not computed in panels.
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
  ASSERT_TRUE(products.Load(a, &a_operand).ok());
  ASSERT_TRUE(products.Load(b, &b_operand).ok());
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

// Parameters: rows, inner, threads, whether inputs and whether results are bfloat16. 200 rows are three
// blocks and a rest; `inner` 100 ends within a row of AMX's tiles.
class ProductByRowsTest : public ::testing::TestWithParam<std::tuple<int64_t, int64_t, int, bool, bool>> {
 protected:
  void SetUp() override {
    const auto [rows, inner, threads, bfloat16_inputs, bfloat16_results] = GetParam();
    if (bfloat16_inputs && CpuBfloat16Support() == Bfloat16Support::kNone)
      GTEST_SKIP() << "this CPU has no bfloat16";
    product_ = {.rows = rows, .columns = 70, .inner = inner, .transpose_a = true};
    floats_.assign(bfloat16_results ? 0 : rows * product_.columns, NAN);
    bfloats_.assign(bfloat16_results ? rows * product_.columns : 0, ToBfloat16(NAN));
    products_.emplace(bfloat16_inputs ? NetworkDescription::BFLOAT16 : NetworkDescription::FLOAT32);
    omp_set_num_threads(threads);
  }

  bool Compute(const std::vector<float>& a, const std::vector<float>& b) {
    EXPECT_TRUE(products_->Load(a, &a_).ok());
    EXPECT_TRUE(products_->Load(b, &b_).ok());
    const absl::StatusOr<bool> finite =
        products_->ComputeByRows(product_, a_, b_,
                                 bfloats_.empty() ? MutableTensorView(absl::MakeSpan(floats_))
                                                  : MutableTensorView(absl::MakeSpan(bfloats_)));
    EXPECT_TRUE(finite.ok()) << finite.status();
    return finite.value_or(false);
  }

  // Values that bfloat16 holds exactly.
  static std::vector<float> RoundedValues(int64_t size) {
    std::vector<float> values = Values(size);
    for (float& value : values) value = FromBfloat16(ToBfloat16(value));
    return values;
  }

  MatrixProduct product_;
  std::optional<MatrixProducts> products_;
  Operand a_, b_;
  std::vector<float> floats_;
  std::vector<uint16_t> bfloats_;
};

TEST_P(ProductByRowsTest, IsTheSumOfProducts) {
  const std::vector<float> a = RoundedValues(product_.inner * product_.rows);
  const std::vector<float> b = RoundedValues(product_.inner * product_.columns);
  ASSERT_TRUE(Compute(a, b));
  for (int64_t row = 0; row < product_.rows; ++row) {
    for (int64_t column = 0; column < product_.columns; ++column) {
      double sum = 0;
      for (int64_t i = 0; i < product_.inner; ++i)
        sum += double{a[i * product_.rows + row]} * b[i * product_.columns + column];
      const int64_t at = row * product_.columns + column;
      const double ulp = bfloats_.empty() ? 0 : std::abs(sum) / 256;
      ASSERT_NEAR(bfloats_.empty() ? floats_[at] : FromBfloat16(bfloats_[at]), sum, 1e-4 + ulp)
          << "row " << row << ", column " << column;
    }
  }
}

TEST_P(ProductByRowsTest, SaysWhatIsNotFiniteAsStored) {
  std::vector<float> a(product_.inner * product_.rows);
  std::vector<float> b(product_.inner * product_.columns);
  EXPECT_TRUE(Compute(a, b));
  // The last element is 1.9996 x 2^127. That is above bfloat16's largest, 1.9922 x 2^127, so it is rounded
  // to infinity.
  a.back() = std::ldexp(181.0f / 128, 64);
  b.back() = std::ldexp(181.0f / 128, 63);
  EXPECT_EQ(Compute(a, b), bfloats_.empty());
  b.back() = INFINITY;
  EXPECT_FALSE(Compute(a, b));
}

INSTANTIATE_TEST_SUITE_P(Blocks, ProductByRowsTest,
                         ::testing::Combine(::testing::Values(1, 200), ::testing::Values(1, 100),
                                            ::testing::Values(1, 3), ::testing::Bool(), ::testing::Bool()));

}  // namespace
}  // namespace downpour
