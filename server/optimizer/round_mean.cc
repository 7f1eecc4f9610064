// Where on the data's way: inside the shard; finds the elements whose round is complete and steps them.
#include "server/optimizer/round_mean.h"

#include <algorithm>
#include <cstddef>

#include "absl/container/inlined_vector.h"
#include "common/tensor/simd_clones.h"
#include "server/optimizer/float_range.h"

namespace downpour {
namespace {

DOWNPOUR_SIMD_CLONES
void Add(size_t n, const float* __restrict gradient, float* __restrict sum, float* __restrict count) {
  for (size_t i = 0; i < n; ++i) {
    sum[i] = Saturate(sum[i] + gradient[i]);
    count[i] += 1;
  }
}

class RoundMean final : public Optimizer {
 public:
  RoundMean(std::unique_ptr<Optimizer> rule, const Rounds& rounds)
      : Optimizer(OptimizerDescription()), rule_(std::move(rule)), rounds_(rounds) {}

  std::vector<std::string> state_names() const override {
    std::vector<std::string> names = rule_->state_names();
    names.insert(names.end(), {"round sum", "round count"});
    return names;
  }

  void Apply(const UpdateStep& step, absl::Span<const float> gradient, absl::Span<float> parameters,
             absl::Span<float* const> state) const override {
    const absl::Span<float* const> rule_state = state.first(state.size() - 2);
    if (step.update <= rounds_.warm_start) return rule_->Apply(step, gradient, parameters, rule_state);
    const size_t size = gradient.size();
    const absl::Span<float> sum(state[state.size() - 2], size), count(state[state.size() - 1], size);
    Add(size, gradient.data(), sum.data(), count.data());
    const auto complete = [&](size_t i) { return count[i] >= static_cast<float>(rounds_.pushes); };
    // Runs of elements, usually one: a push that its replica gave up halfway leaves counts that differ.
    for (size_t begin = 0, end; begin < size; begin = end) {
      for (end = begin + 1; end < size && complete(end) == complete(begin);) ++end;
      if (!complete(begin)) continue;
      StepRule(step, begin, sum.subspan(begin, end - begin), parameters, rule_state);
      std::fill_n(&sum[begin], end - begin, 0.0f);
      std::fill_n(&count[begin], end - begin, 0.0f);
    }
  }

 private:
  void StepRule(const UpdateStep& step, size_t begin, absl::Span<float> sum, absl::Span<float> parameters,
                absl::Span<float* const> rule_state) const {
    for (float& gradient : sum) gradient /= static_cast<float>(rounds_.pushes);
    absl::InlinedVector<float*, 2> state(rule_state.begin(), rule_state.end());
    for (float*& vector : state) vector += begin;
    UpdateStep part = step;
    if (!step.fetched.empty()) part.fetched = step.fetched.subspan(begin, sum.size());
    rule_->Apply(part, sum, parameters.subspan(begin, sum.size()), state);
  }

  const std::unique_ptr<Optimizer> rule_;
  const Rounds rounds_;
};

}  // namespace

std::unique_ptr<Optimizer> NewRoundMean(std::unique_ptr<Optimizer> rule, const Rounds& rounds) {
  return std::make_unique<RoundMean>(std::move(rule), rounds);
}

}  // namespace downpour
