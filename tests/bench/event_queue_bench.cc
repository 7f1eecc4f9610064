// Where on the data's way: measures deploy/in_process/: what the virtual cluster's event queue costs in a run
// with 1,000 replicas.
//   event_queue_bench
// First the queue alone, with as many pending events as a run of so many replicas has: each event taken out
// is scheduled again. Then a run with the quickstart's network. "events_share" is the queue's share of its
// time: the events per update, times the queue's time for one event, divided by the run's time for one
// update; both times are measured here.
#include <benchmark/benchmark.h>

#include <memory>
#include <utility>
#include <vector>

#include "common/check.h"
#include "common/random.h"
#include "deploy/in_process/event_queue.h"
#include "tests/bench/measure.h"
#include "tests/bench/run_benchmarks.h"
#include "tests/bench/speech_network.h"
#include "tests/testing/virtual_run.h"

namespace downpour {
namespace {

using Event = VirtualClusterCheckpoint::Event;

constexpr int kRounds = 200;  // times all pending events, in one measurement

double SecondsAnEvent(int replicas) {
  EventQueue queue;
  Random random(1);
  for (int replica = 0; replica < replicas; ++replica)
    queue.Schedule(static_cast<int64_t>(random.Below(1'000'000'000)), Event::COMPUTED, replica);
  const int64_t events = int64_t{kRounds} * replicas;
  return Seconds([&] {
           for (int64_t i = 0; i < events; ++i) {
             const EventQueue::Event event = queue.Pop();
             queue.Schedule(event.time_ns + static_cast<int64_t>(random.Below(1'000'000'000)), event.kind,
                            event.replica);
           }
         }) /
         static_cast<double>(events);
}

std::shared_ptr<const RunData> MakeData(int classes) {
  auto data = std::make_shared<RunData>();
  data->train = SpeechData(200'000, classes);
  data->test = SpeechData(100, classes);
  data->normalization = {std::vector<float>(40, 0), std::vector<float>(40, 1)};
  data->summary = Summarize(*data->train, data->normalization, classes);
  return data;
}

void BM_EventQueue(benchmark::State& state) {
  const int replicas = static_cast<int>(state.range(0));
  constexpr int64_t kUpdates = 1000;
  RunDescription description;
  description.mutable_data()->set_train_dir("made here");
  description.mutable_network()->add_hidden_width(256);
  description.mutable_cluster()->set_replicas(replicas);
  description.mutable_budget()->set_updates(kUpdates);
  description.mutable_evaluation()->set_every_updates(kUpdates);
  VirtualRunOptions options;
  options.threads = Cores();
  options.data = MakeData(/*classes=*/5126);
  std::vector<double> event_s, update_s;
  int64_t events = 0;
  options.at_event = [&](int64_t event) { events = event; };
  for (auto _ : state) {
    event_s.push_back(SecondsAnEvent(replicas));
    update_s.push_back(Seconds([&] { DOWNPOUR_CHECK(RunVirtually(description, options).status.ok()); }) /
                       kUpdates);
    state.SetIterationTime(update_s.back());
  }
  const double events_an_update = static_cast<double>(events) / kUpdates;
  state.counters["event_ns"] = 1e9 * Median(event_s);
  state.counters["events_an_update"] = events_an_update;
  state.counters["update_ms"] = 1e3 * Median(update_s);
  state.counters["events_share"] = events_an_update * Median(event_s) / Median(update_s);
}
BENCHMARK(BM_EventQueue)->Arg(100)->Arg(1000)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(5);

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) { return downpour::RunBenchmarks(argc, argv); }
