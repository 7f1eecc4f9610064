// Where on the data's way: its beginning, as a program: makes a speech corpus out of Debian packages alone.
#include <cstdio>
#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "common/program/command_line.h"
#include "common/program/exit_code.h"
#include "common/program/interrupt.h"
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
    "Makes a labelled speech corpus of any length.\n\n"
    "  downpour-corpus --out=corpus/mine --hours=2\n\n"
    "Real sentences (Debian's fortunes) are spoken by flite's four 16 kHz voices with drawn pitch, rate, "
    "level, vocal\n"
    "tract and background noise, turned into frames of 40 log-mel energies, and labelled with one of 5,126 "
    "senones a\n"
    "frame by pocketsphinx's forced alignment. A human speaker's prompts (asterisk-core-sounds-en) are a "
    "second test\n"
    "set. Writes the Kaldi data directories DIR/train, DIR/test (about 8 % of the sentences, none of them in "
    "train) and\n"
    "DIR/test_human, each with feats.scp, pdf.ark, text, utt2spk, spk2utt, num_pdfs and silence_pdfs.\n\n"
    "Two hours take about two and a half minutes on two cores and 275 MB. Finished work is kept in "
    "DIR/.cache: after\n"
    "Ctrl-C the same command goes on, and more --hours later adds to what is there. The same seed gives the "
    "same\n"
    "bytes.\n";

int Fail(const absl::Status& status) {
  const int code = ExitCode("downpour-corpus", status);
  if (absl::IsCancelled(status))
    std::fputs("Finished work is kept; the same command goes on from there.\n", stderr);
  return code;
}

int Main(int argc, char** argv) {
  const absl::StatusOr<CommandLine> command_line =
      ParseCommandLine(argc, argv, kUsage, /*takes_settings=*/false);
  if (!command_line.ok()) return Fail(command_line.status());
  if (!command_line->positional.empty()) {
    return Fail(
        absl::InvalidArgumentError(absl::StrCat("unexpected argument '", command_line->positional[0], "'")));
  }
  CatchInterrupts();
  CorpusOptions options;
  options.out = absl::GetFlag(FLAGS_out);
  options.hours = absl::GetFlag(FLAGS_hours);
  options.jobs = absl::GetFlag(FLAGS_jobs);
  options.seed = absl::GetFlag(FLAGS_seed);
  options.human = absl::GetFlag(FLAGS_human);
  options.fortunes = absl::GetFlag(FLAGS_fortunes);
  options.transcripts = absl::GetFlag(FLAGS_transcripts);
  options.sounds = absl::GetFlag(FLAGS_sounds);
  options.aligner.model_folder = absl::GetFlag(FLAGS_model);
  options.aligner.dictionary = absl::GetFlag(FLAGS_dictionary);
  const absl::StatusOr<CorpusSummary> summary = BuildCorpus(options, Clock::Real());
  if (!summary.ok()) return Fail(summary.status());
  if (summary->already_complete) std::printf("%s: already complete\n", options.out.c_str());
  for (const std::string& part : summary->parts) std::printf("%s\n", part.c_str());
  return 0;
}

}  // namespace
}  // namespace downpour

int main(int argc, char** argv) { return downpour::Main(argc, argv); }
