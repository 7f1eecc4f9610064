// Where on the data's way: the shard's end of the wire; what it transfers, and what waits there, as metrics.
#include "server/service/parameter_service.h"

namespace downpour {

void ParameterService::AddTo(MetricFamilies* families) const {
  transfers_.AddTo("grpc", families);
  AddQueueDepth("pushes", pushes(), families);
  AddQueueDepth("fetches", fetches(), families);
  AddQueueDepth("chunks_in", chunks_in_.waiting(), families);
  AddQueueDepth("chunks_out", chunks_out_.waiting(), families);
  AddQueueDepth("tasks", executor_.waiting(), families);
}

}  // namespace downpour
