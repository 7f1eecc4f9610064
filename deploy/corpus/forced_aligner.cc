// Where on the data's way: first finds what was said, with the pauses, then aligns its HMM states.
#include "deploy/corpus/forced_aligner.h"

#include <pocketsphinx.h>
#include <sphinxbase/err.h>
#include <sphinxbase/fsg_model.h>

#include <filesystem>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

bool IsFiller(absl::string_view word) { return word[0] == '<' || word[0] == '[' || word[0] == '+'; }

// "read(2)" -> "read".
absl::string_view BaseWord(absl::string_view word) { return word.substr(0, word.find('(')); }

absl::Status CheckInstalled(const std::string& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) return absl::OkStatus();
  return absl::NotFoundError(absl::StrCat(path, ": not there; it is in Debian's package pocketsphinx-en-us"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ForcedAligner>> ForcedAligner::Create(const ForcedAlignerOptions& options) {
  // Checked first, because pocketsphinx ends the process if it finds no model.
  RETURN_IF_ERROR(CheckInstalled(absl::StrCat(options.model_folder, "/mdef")));
  RETURN_IF_ERROR(CheckInstalled(options.dictionary));
  err_set_logfp(nullptr);
  // remove_silence is off so that every frame gets a label, and the beams are wide so that no utterance is
  // lost. bestpath is off because it would search again for what the grammar's path already says.
  cmd_ln_t* config = cmd_ln_init(nullptr, ps_args(), FALSE, "-hmm", options.model_folder.c_str(), "-dict",
                                 options.dictionary.c_str(), "-remove_silence", "no", "-bestpath", "no",
                                 "-beam", "1e-100", "-pbeam", "1e-100", "-wbeam", "1e-80", nullptr);
  if (config == nullptr)
    return absl::UnimplementedError("pocketsphinx does not know the options of 0.8+5prealpha");
  ps_decoder_t* decoder = ps_init(config);
  cmd_ln_free_r(config);
  if (decoder == nullptr) {
    return absl::NotFoundError(
        absl::StrCat("pocketsphinx cannot load ", options.model_folder, " with ", options.dictionary));
  }
  std::unique_ptr<ForcedAligner> aligner(new ForcedAligner(decoder));
  ASSIGN_OR_RETURN(aligner->states_, StateAlignment::Create(decoder, options.model_folder));
  for (const auto& [word, phones] : options.extra_pronunciations) {
    if (ps_add_word(decoder, word.c_str(), phones.c_str(), TRUE) < 0) {
      return absl::InvalidArgumentError(absl::StrCat("pronunciation of '", word, "' refused: ", phones));
    }
  }
  return aligner;
}

ForcedAligner::~ForcedAligner() {
  states_.reset();
  ps_free(decoder_);
}

absl::StatusOr<std::vector<std::string>> ForcedAligner::FindPronunciations(
    absl::Span<const int16_t> samples, const std::vector<std::string>& words) {
  const int count = static_cast<int>(words.size());
  fsg_model_t* grammar = fsg_model_init("utterance", ps_get_logmath(decoder_), 1.0, count + 1);
  absl::Cleanup free_grammar = [&] { fsg_model_free(grammar); };
  grammar->start_state = 0;
  grammar->final_state = count;
  for (int i = 0; i < count; ++i) {
    char* known = ps_lookup_word(decoder_, words[i].c_str());
    if (known == nullptr)
      return absl::NotFoundError(absl::StrCat("'", words[i], "' is not in the pronouncing dictionary"));
    ckd_free(known);
    fsg_model_trans_add(grammar, i, i + 1, 0, fsg_model_word_add(grammar, words[i].c_str()));
  }
  if (ps_set_fsg(decoder_, "utterance", grammar) < 0 || ps_set_search(decoder_, "utterance") < 0) {
    return absl::FailedPreconditionError("pocketsphinx takes no grammar of these words");
  }
  ps_start_stream(decoder_);  // forgets the noise of the utterances before
  ps_start_utt(decoder_);
  ps_process_raw(decoder_, samples.data(), samples.size(), FALSE, TRUE);
  ps_end_utt(decoder_);
  std::vector<std::string> said;
  size_t next = 0;
  for (ps_seg_t* segment = ps_seg_iter(decoder_); segment != nullptr; segment = ps_seg_next(segment)) {
    const std::string word = ps_seg_word(segment);
    int first, last;
    ps_seg_frames(segment, &first, &last);
    if (last < first || word == "(NULL)") continue;
    if (!IsFiller(word) && next < words.size() && BaseWord(word) == BaseWord(words[next])) ++next;
    said.push_back(word);
  }
  if (next < words.size()) return absl::FailedPreconditionError("the speech does not fit the words");
  return said;
}

absl::StatusOr<Alignment> ForcedAligner::Align(absl::Span<const int16_t> samples,
                                               const std::vector<std::string>& words) {
  if (words.empty()) return absl::FailedPreconditionError("no words");
  ASSIGN_OR_RETURN(const std::vector<std::string> said, FindPronunciations(samples, words));
  return states_->Align(said);
}

}  // namespace downpour
