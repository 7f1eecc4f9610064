// Where on the data's way: deploy/corpus, the program before all others; Debian packages become speech data.
#include <cstdio>

#include "absl/flags/flag.h"
#include "common/program/checked_flag.h"
#include "common/program/run_program.h"
#include "common/status_macros.h"
#include "deploy/corpus/corpus_builder.h"

namespace {

const downpour::CorpusOptions& Defaults() {
  static const downpour::CorpusOptions defaults;
  return defaults;
}

}  // namespace

ABSL_FLAG(std::string, out, Defaults().out, "The corpus's folder; made if it is not there.");
ABSL_FLAG(double, hours, Defaults().hours, "Hours of synthetic speech, train and test part together.");
ABSL_FLAG(int, jobs, Defaults().jobs, "Processes to work in; 0: one a core. Does not change the corpus.");
ABSL_FLAG(uint64_t, seed, Defaults().seed, "Of sentence order, speakers, pitch, rate, level and noise.");
ABSL_FLAG(bool, human, Defaults().human, "Also make the test set of human speech.");
ABSL_FLAG(std::string, fortunes, Defaults().fortunes, "Folder of fortune files (package fortunes).");
ABSL_FLAG(std::string, transcripts, Defaults().transcripts,
          "What is said (package asterisk-core-sounds-en).");
ABSL_FLAG(std::string, sounds, Defaults().sounds,
          "Folder of .g722 files (package asterisk-core-sounds-en-g722).");
ABSL_FLAG(std::string, model, Defaults().aligner.model_folder,
          "Acoustic model (package pocketsphinx-en-us).");
ABSL_FLAG(std::string, dictionary, Defaults().aligner.dictionary,
          "Pronouncing dictionary (the same package).");

namespace downpour {
namespace {

constexpr char kUsage[] =
    R"(Makes a labelled speech corpus of any length.

  downpour-corpus --out=corpus/mine --hours=2

Real sentences (Debian's fortunes) are spoken by flite's four 16 kHz voices with drawn pitch, rate, level,
vocal tract and background noise, turned into frames of 40 log-mel energies, and labelled with one of 5,126
senones a frame by pocketsphinx's forced alignment. A human speaker's prompts (asterisk-core-sounds-en) are a
second test set. Writes the Kaldi data directories OUT/train, OUT/test (about 8 % of the sentences, none of
them in train) and OUT/test_human, each with feats.scp, pdf.ark, text, utt2spk, spk2utt, num_pdfs and
silence_pdfs.

Two hours take about two and a half minutes on two cores and 275 MB. Finished work is kept in OUT/.cache:
after Ctrl-C the same command goes on, and more --hours later add to what is there. The same seed gives the
same bytes.)";

absl::Status MakeCorpus(const CommandLine& /*command_line*/) {
  CorpusOptions options;
  options.out = absl::GetFlag(FLAGS_out);
  options.hours = absl::GetFlag(FLAGS_hours);
  ASSIGN_OR_RETURN(options.jobs, FlagFrom(FLAGS_jobs, 0));
  options.seed = absl::GetFlag(FLAGS_seed);
  options.human = absl::GetFlag(FLAGS_human);
  options.fortunes = absl::GetFlag(FLAGS_fortunes);
  options.transcripts = absl::GetFlag(FLAGS_transcripts);
  options.sounds = absl::GetFlag(FLAGS_sounds);
  options.aligner.model_folder = absl::GetFlag(FLAGS_model);
  options.aligner.dictionary = absl::GetFlag(FLAGS_dictionary);
  const absl::StatusOr<CorpusSummary> summary = BuildCorpus(options, Clock::Real());
  if (absl::IsCancelled(summary.status()))
    return absl::CancelledError("stopped; finished work is kept, and the same command goes on from there");
  RETURN_IF_ERROR(summary.status());
  if (summary->already_complete) std::printf("%s: already complete\n", options.out.c_str());
  for (const std::string& part : summary->parts) std::printf("%s\n", part.c_str());
  return absl::OkStatus();
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) {
  return downpour::RunProgram(
      argc, argv, {"downpour-corpus", downpour::kUsage, downpour::MakeCorpus, downpour::Program::kNothing});
}
