// Where on the data's way: the shard's end of the wire; what it transfers, and what waits there, as metrics.
#include "server/service/parameter_service.h"

namespace downpour {

void ParameterService::AddTo(MetricFamilies* families) const {
  transfers_.AddTo("grpc", families);
  const auto add_depth = [families](const char* queue, size_t depth) {
    families->AddGauge("downpour_queue_depth", "How many wait in a queue or are under way.",
                       static_cast<double>(depth), {{"queue", queue}});
  };
  add_depth("pushes", pushes());
  add_depth("fetches", fetches());
  add_depth("chunks_in", chunks_in_.waiting());
  add_depth("chunks_out", chunks_out_.waiting());
  add_depth("tasks", executor_.waiting());
}

}  // namespace downpour
