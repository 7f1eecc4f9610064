// Where on the data's way: finds pocketsphinx's functions by name and checks its structures before use.
#include "deploy/corpus/state_alignment.h"

#include <dlfcn.h>
#include <pocketsphinx.h>

#include <algorithm>
#include <filesystem>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

// Parts of pocketsphinx 0.8+5prealpha's structures (src/libpocketsphinx/: pocketsphinx_internal.h,
// ps_alignment.h, bin_mdef.h). Create() checks them against what the public interface says.
struct DecoderHead {  // the first fields of ps_decoder_s
  cmd_ln_t* config;
  int reference_count;
  struct AcousticModel* acoustic_model;
  struct Dictionary* dictionary;
  struct PhoneDictionary* phone_dictionary;
};

struct ModelDefinition {  // the first fields of bin_mdef_s
  int reference_count;
  int32 phones;  // context-independent ones, with the fillers
  int32 triphones;
  int32 states;  // emitting ones of a phone
  int32 context_independent_senones;
  int32 senones;
};

struct Entry {  // a word, phone or state of an alignment
  union {
    int32 word;
    struct {
      uint16 senone_sequence, phone, transition_matrix;
    } phone;
    uint16 senone;
  } id;
  int16 start, duration;  // frames
  int32 score;
  uint16 parent, child;
};

struct Search;
struct SearchFunctions {
  int (*start)(Search*);
  int (*step)(Search*, int frame);
  int (*finish)(Search*);
  int (*reinit)(Search*, Dictionary*, PhoneDictionary*);
  void (*free)(Search*);
};
struct Search {
  SearchFunctions* functions;
};

struct Words;     // ps_alignment_s
struct Iterator;  // ps_alignment_iter_s

struct Functions {
  Words* (*ps_alignment_init)(PhoneDictionary*);
  int (*ps_alignment_free)(Words*);
  int (*ps_alignment_add_word)(Words*, int32 word, int duration);
  int (*ps_alignment_populate)(Words*);
  Iterator* (*ps_alignment_words)(Words*);
  Iterator* (*ps_alignment_phones)(Words*);
  Iterator* (*ps_alignment_states)(Words*);
  Iterator* (*ps_alignment_iter_next)(Iterator*);  // frees it at the end
  int (*ps_alignment_iter_free)(Iterator*);
  Entry* (*ps_alignment_iter_get)(Iterator*);
  Search* (*state_align_search_init)(const char* name, cmd_ln_t*, AcousticModel*, Words*);
  int (*acmod_set_grow)(AcousticModel*, int);
  int (*acmod_rewind)(AcousticModel*);
  int (*acmod_advance)(AcousticModel*);
  int32 (*dict_wordid)(Dictionary*, const char*);
  ModelDefinition* (*bin_mdef_read)(cmd_ln_t*, const char*);
  int (*bin_mdef_free)(ModelDefinition*);
  const char* (*bin_mdef_ciphone_str)(ModelDefinition*, int32);
};

constexpr char kWanted[] = "pocketsphinx 0.8+5prealpha (libpocketsphinx.so.3, as in Debian 12)";

absl::Status WrongVersion(absl::string_view reason) {
  Dl_info library{};
  dladdr(reinterpret_cast<void*>(&ps_init), &library);
  std::error_code ignored;
  const auto file = std::filesystem::canonical(library.dli_fname ? library.dli_fname : "", ignored);
  return absl::UnimplementedError(absl::StrCat("state alignment: the installed pocketsphinx, ", file.string(),
                                               ", ", reason, ", want ", kWanted));
}

template <typename F>
absl::Status Look(const char* name, F** function) {
  *function = reinterpret_cast<F*>(dlsym(RTLD_DEFAULT, name));
  return *function == nullptr ? WrongVersion(absl::StrCat("has no function ", name)) : absl::OkStatus();
}

absl::StatusOr<Functions> LookUpFunctions() {
  Functions f;
#define DOWNPOUR_LOOK(name) RETURN_IF_ERROR(Look(#name, &f.name))
  DOWNPOUR_LOOK(ps_alignment_init);
  DOWNPOUR_LOOK(ps_alignment_free);
  DOWNPOUR_LOOK(ps_alignment_add_word);
  DOWNPOUR_LOOK(ps_alignment_populate);
  DOWNPOUR_LOOK(ps_alignment_words);
  DOWNPOUR_LOOK(ps_alignment_phones);
  DOWNPOUR_LOOK(ps_alignment_states);
  DOWNPOUR_LOOK(ps_alignment_iter_next);
  DOWNPOUR_LOOK(ps_alignment_iter_free);
  DOWNPOUR_LOOK(ps_alignment_iter_get);
  DOWNPOUR_LOOK(state_align_search_init);
  DOWNPOUR_LOOK(acmod_set_grow);
  DOWNPOUR_LOOK(acmod_rewind);
  DOWNPOUR_LOOK(acmod_advance);
  DOWNPOUR_LOOK(dict_wordid);
  DOWNPOUR_LOOK(bin_mdef_read);
  DOWNPOUR_LOOK(bin_mdef_free);
  DOWNPOUR_LOOK(bin_mdef_ciphone_str);
#undef DOWNPOUR_LOOK
  return f;
}

class StateAlignment5prealpha : public StateAlignment {
 public:
  StateAlignment5prealpha(ps_decoder_t* decoder, const Functions& functions)
      : decoder_(decoder), head_(reinterpret_cast<DecoderHead*>(decoder)), f_(functions) {}
  ~StateAlignment5prealpha() override {
    if (model_ != nullptr) f_.bin_mdef_free(model_);
  }

  // Reads the model definition, and checks that the structures are as in this version.
  absl::Status Open(const std::string& model_folder) {
    if (head_->config != ps_get_config(decoder_)) return WrongVersion("lays out ps_decoder_s otherwise");
    const std::string definition = absl::StrCat(model_folder, "/mdef");
    model_ = f_.bin_mdef_read(head_->config, definition.c_str());
    if (model_ == nullptr)
      return absl::NotFoundError(absl::StrCat(definition, ": not a readable model definition"));
    if (model_->states != 3 || model_->context_independent_senones != 3 * model_->phones ||
        model_->senones < model_->context_independent_senones) {
      return WrongVersion("lays out bin_mdef_s otherwise");
    }
    ASSIGN_OR_RETURN(WordsPointer fillers, NewWords({"<sil>", "[NOISE]", "[SPEECH]"}));
    Iterator* first = f_.ps_alignment_words(fillers.get());
    const Entry* entry = f_.ps_alignment_iter_get(first);
    const bool same =
        entry->id.word == f_.dict_wordid(head_->dictionary, "<sil>") && entry->duration == kAnyDuration;
    f_.ps_alignment_iter_free(first);
    if (!same) return WrongVersion("lays out ps_alignment_entry_s otherwise");
    ForEach(f_.ps_alignment_states(fillers.get()), [&](const Entry& e) { silence_.push_back(e.id.senone); });
    std::sort(silence_.begin(), silence_.end());
    silence_.erase(std::unique(silence_.begin(), silence_.end()), silence_.end());
    // Keeps the features of a whole utterance in memory for the second pass.
    f_.acmod_set_grow(head_->acoustic_model, TRUE);
    return absl::OkStatus();
  }

  int32_t num_senones() const override { return model_->senones; }
  const std::vector<int32_t>& silence_senones() const override { return silence_; }

  absl::StatusOr<Alignment> Align(const std::vector<std::string>& names) override {
    const int frames = ps_get_n_frames(decoder_) - 1;  // this version returns one more than it has searched
    if (frames > INT16_MAX)
      return absl::FailedPreconditionError(absl::StrCat(frames, " frames, at most 32767 align"));
    ASSIGN_OR_RETURN(WordsPointer words, NewWords(names));
    Search* search =
        f_.state_align_search_init("state_align", head_->config, head_->acoustic_model, words.get());
    if (search == nullptr) return absl::FailedPreconditionError("no search over these words");
    absl::Cleanup free_search = [&] { search->functions->free(search); };
    if (f_.acmod_rewind(head_->acoustic_model) < 0) return absl::FailedPreconditionError("features are gone");
    search->functions->start(search);
    for (int frame = 0; frame < frames; ++frame) {
      search->functions->step(search, frame);
      f_.acmod_advance(head_->acoustic_model);
    }
    if (search->functions->finish(search) < 0)
      return absl::FailedPreconditionError("no path through these words");
    return Read(words.get(), frames);
  }

 private:
  using WordsPointer = std::unique_ptr<Words, int (*)(Words*)>;
  static constexpr int kAnyDuration = 7;  // frames; replaced by the search

  absl::StatusOr<WordsPointer> NewWords(const std::vector<std::string>& names) {
    WordsPointer words(f_.ps_alignment_init(head_->phone_dictionary), f_.ps_alignment_free);
    for (const std::string& name : names) {
      const int32 word = f_.dict_wordid(head_->dictionary, name.c_str());
      if (word < 0)
        return absl::NotFoundError(absl::StrCat("'", name, "' is not in the pronouncing dictionary"));
      f_.ps_alignment_add_word(words.get(), word, kAnyDuration);
    }
    if (f_.ps_alignment_populate(words.get()) < 0)
      return absl::FailedPreconditionError("these words have no states");
    return words;
  }

  template <typename Visit>
  void ForEach(Iterator* iterator, Visit visit) const {
    for (; iterator != nullptr; iterator = f_.ps_alignment_iter_next(iterator)) {
      visit(*f_.ps_alignment_iter_get(iterator));
    }
  }

  absl::StatusOr<Alignment> Read(Words* words, int frames) const {
    Alignment alignment;
    bool valid = true;
    ForEach(f_.ps_alignment_states(words), [&](const Entry& entry) {
      valid = valid && entry.duration > 0 && entry.id.senone < model_->senones;
      alignment.senones.insert(alignment.senones.end(), std::max<int>(entry.duration, 0), entry.id.senone);
    });
    ForEach(f_.ps_alignment_phones(words), [&](const Entry& entry) {
      valid = valid && entry.id.phone.phone < model_->phones;
      if (!valid) return;
      alignment.phones.push_back(
          {f_.bin_mdef_ciphone_str(model_, entry.id.phone.phone), entry.start, entry.duration});
    });
    if (!valid || static_cast<int>(alignment.senones.size()) != frames) {
      return absl::FailedPreconditionError(
          absl::StrCat("the path has ", alignment.senones.size(), " frames of ", frames));
    }
    return alignment;
  }

  ps_decoder_t* decoder_;  // not owned
  DecoderHead* head_;      // part of decoder_
  Functions f_;
  ModelDefinition* model_ = nullptr;
  std::vector<int32_t> silence_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<StateAlignment>> StateAlignment::Create(ps_decoder_t* decoder,
                                                                       const std::string& model_folder) {
  ASSIGN_OR_RETURN(Functions functions, LookUpFunctions());
  auto alignment = std::make_unique<StateAlignment5prealpha>(decoder, functions);
  RETURN_IF_ERROR(alignment->Open(model_folder));
  return alignment;
}

}  // namespace downpour
