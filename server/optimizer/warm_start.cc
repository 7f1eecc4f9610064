// Where on the data's way: inside the shard; chooses the rule of each update by the update's number.
#include "server/optimizer/warm_start.h"

#include <utility>

#include "absl/strings/str_cat.h"

namespace downpour {
namespace {

class WarmStartRule final : public Optimizer {
 public:
  WarmStartRule(std::unique_ptr<Optimizer> run, std::unique_ptr<Optimizer> warm_start, uint64_t updates)
      : Optimizer(OptimizerDescription()),
        run_(std::move(run)),
        warm_start_(std::move(warm_start)),
        updates_(updates),
        run_states_(run_->state_names().size()) {}

  std::vector<std::string> state_names() const override {
    std::vector<std::string> names = run_->state_names();
    for (const std::string& name : warm_start_->state_names())
      names.push_back(absl::StrCat("warm start ", name));
    return names;
  }

  bool TakesPlanes(size_t planes) const override { return run_->TakesPlanes(planes); }

  void Apply(const UpdateStep& step, absl::Span<const float> gradient, absl::Span<float> parameters,
             absl::Span<float* const> state) const override {
    UpdateStep run_step = step;
    if (step.update <= updates_) {
      warm_start_->Apply(step, gradient, parameters, state.subspan(run_states_));
      run_step.factor = 0;
    }
    run_->Apply(run_step, gradient, parameters, state.first(run_states_));
  }

 private:
  const std::unique_ptr<Optimizer> run_, warm_start_;
  const uint64_t updates_;
  const size_t run_states_;
};

}  // namespace

std::unique_ptr<Optimizer> WithWarmStart(std::unique_ptr<Optimizer> run,
                                         std::unique_ptr<Optimizer> warm_start, uint64_t updates) {
  return std::make_unique<WarmStartRule>(std::move(run), std::move(warm_start), updates);
}

}  // namespace downpour
