// Where on the data's way: deploy/export, the program after a run; writes its network for other programs.
#include <iostream>

#include "absl/flags/flag.h"
#include "common/program/run_program.h"
#include "common/status_macros.h"
#include "deploy/export/export.h"

ABSL_FLAG(std::string, run_dir, "", "The run folder, whose checkpoints/ hold the network.");
ABSL_FLAG(std::string, out, "model.safetensors", "The file to write; replaced if it is there.");

namespace downpour {
namespace {

constexpr char kUsage[] =
    R"(Writes the network of a run's last checkpoint as a safetensors file: the layers' weights and biases,
the input normalisation, and as metadata what is needed to use them (context, nonlinearity) and where they
come from (optimizer, updates, test frame accuracy). deploy/export/export.h says how to compute a layer. The
run may still be going on.

  downpour-export --run_dir=RUN_DIR [--out=model.safetensors])";

absl::Status Export(const CommandLine& /*command_line*/) {
  const std::string run_dir = absl::GetFlag(FLAGS_run_dir), out = absl::GetFlag(FLAGS_out);
  if (run_dir.empty())
    return absl::InvalidArgumentError("--run_dir is not set, want the folder of a run; see --help");
  ASSIGN_OR_RETURN(const TrainedNetwork network, ReadTrainedNetwork(run_dir));
  RETURN_IF_ERROR(ExportSafetensors(network, out));
  std::cout << out << ": " << network.layout.tensors().size() << " tensors, " << network.layout.size()
            << " parameters after " << network.run.updates() << " updates\n";
  return absl::OkStatus();
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  return downpour::RunProgram(argc, argv,
                              {"downpour-export", downpour::kUsage, downpour::Export,
                               downpour::Program::kNothing, /*looks_at_interrupts=*/false});
}
