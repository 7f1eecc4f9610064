// Where on the data's way: from a replica's gradient to a short sketch of it; what sketches say of gradients.
#include "worker/replica/gradient_sketch.h"

#include <cmath>
#include <vector>

#include "common/random.h"
#include "common/tensor/bfloat16.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace downpour {
namespace {

double Product(const std::vector<float>& a, const std::vector<float>& b) {
  double product = 0;
  for (size_t i = 0; i < a.size(); ++i) product += static_cast<double>(a[i]) * b[i];
  return product;
}

std::vector<float> RandomGradient(uint64_t seed, size_t size) {
  Random random(seed);
  std::vector<float> gradient(size);
  for (float& value : gradient) value = static_cast<float>(random.Normal());
  return gradient;
}

TEST(SketchGradientTest, IsLinearAndKeepsALoneElementsSize) {
  std::vector<float> one(1000), other(1000), both(1000);
  one[3] = 2;
  other[700] = -5;
  both[3] = 2;
  both[700] = -5;
  const std::vector<float> a = SketchGradient(one), b = SketchGradient(other), c = SketchGradient(both);
  ASSERT_EQ(a.size(), kGradientSketchSize);
  EXPECT_EQ(Product(a, a), 4);
  EXPECT_EQ(Product(b, b), 25);
  for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(c[i], a[i] + b[i]);
}

// A sketch gives a norm to within sqrt(2 / 256) = 9 %; many different gradients show that there is no bias.
TEST(SketchGradientTest, NormsAndProductsAreTheGradientsOnAverage) {
  constexpr int kTrials = 400;
  double norms = 0, norm_squares = 0, products = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const std::vector<float> a = RandomGradient(2 * trial, 5000);
    std::vector<float> b = RandomGradient(2 * trial + 1, 5000);
    for (size_t i = 0; i < b.size(); ++i) b[i] = 0.6f * a[i] + 0.8f * b[i];
    const double norm = Product(SketchGradient(a), SketchGradient(a)) / Product(a, a);
    norms += norm;
    norm_squares += norm * norm;
    products += Product(SketchGradient(a), SketchGradient(b)) / Product(a, b);
  }
  const double mean = norms / kTrials;
  EXPECT_NEAR(mean, 1, 6 * std::sqrt(2.0 / 256 / kTrials));
  EXPECT_NEAR(std::sqrt(norm_squares / kTrials - mean * mean), std::sqrt(2.0 / 256), 0.02);
  EXPECT_NEAR(products / kTrials, 1, 6 * std::sqrt(4.0 / 256 / kTrials));
}

TEST(SketchGradientTest, OfBfloat16IsThatOfItsFloats) {
  std::vector<float> gradient = RandomGradient(1, 5003);  // no whole number of 64
  std::vector<uint16_t> rounded(gradient.size());
  ToBfloat16(gradient, absl::MakeSpan(rounded));
  FromBfloat16(rounded, absl::MakeSpan(gradient));
  EXPECT_EQ(SketchGradient(TensorView(rounded)), SketchGradient(gradient));
}

// A run that diverges has gradients whose elements are finite and whose sums are not. The coordinator refuses
// a report that is not finite.
TEST(SketchGradientTest, OfAGradientWhoseSumsOverflowThereIsNone) {
  EXPECT_TRUE(SketchGradient(std::vector<float>(10'000, 3e38f)).empty());
}

}  // namespace
}  // namespace downpour
