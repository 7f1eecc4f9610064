// Where on the data's way: past its end; downpour-export writes a run's trained network as safetensors.
#include <iostream>
#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "common/program/command_line.h"
#include "common/program/exit_code.h"
#include "common/status_macros.h"
#include "deploy/export/export.h"

ABSL_FLAG(std::string, run_dir, "", "The run folder, whose checkpoints/ hold the network.");
ABSL_FLAG(std::string, out, "model.safetensors", "The file to write; replaced if it is there.");

namespace downpour {
namespace {

constexpr char kUsage[] =
    R"(Writes the network of a run's last checkpoint as a safetensors file: the layers' weights and biases, the input
normalisation, and as metadata what is needed to use them (context, nonlinearity) and where they come from (optimizer,
updates, test frame accuracy). deploy/export/export.h says how to compute a layer. The run may still be going on.

  downpour-export --run_dir=RUN_DIR [--out=model.safetensors])";

absl::Status Export(const CommandLine& command_line) {
  if (!command_line.positional.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("unexpected argument '", command_line.positional[0], "'"));
  }
  const std::string run_dir = absl::GetFlag(FLAGS_run_dir), out = absl::GetFlag(FLAGS_out);
  if (run_dir.empty()) return absl::InvalidArgumentError("--run_dir is missing; see --help");
  ASSIGN_OR_RETURN(const TrainedNetwork network, ReadTrainedNetwork(run_dir));
  RETURN_IF_ERROR(ExportSafetensors(network, out));
  std::cout << out << ": " << network.layout.tensors().size() << " tensors, " << network.layout.size()
            << " parameters after " << network.run.updates() << " updates\n";
  return absl::OkStatus();
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  const auto command_line =
      downpour::ParseCommandLine(argc, argv, downpour::kUsage, /*takes_settings=*/false);
  return downpour::ExitCode("downpour-export",
                            command_line.ok() ? downpour::Export(*command_line) : command_line.status());
}
