// Where on the data's way: from speech and its words' pronunciations to one senone a frame.
#ifndef DOWNPOUR_DEPLOY_CORPUS_STATE_ALIGNMENT_H_
#define DOWNPOUR_DEPLOY_CORPUS_STATE_ALIGNMENT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

struct ps_decoder_s;

namespace downpour {

struct Alignment {
  struct Phone {
    std::string name;  // ARPAbet, or SIL, +NSN+, +SPN+
    int32_t first_frame = 0;
    int32_t frames = 0;
  };
  std::vector<int32_t> senones;  // one a frame of 10 ms; the tied HMM state, in [0, num_senones())
  std::vector<Phone> phones;     // in order, without gaps
};

// The state alignment of pocketsphinx 0.8+5prealpha (Debian 12), by what that library exports without public
// header: its structures differ from other versions'. Not thread-safe.
class StateAlignment {
 public:
  // `decoder`, whose acoustic model is in `model_folder`, is not owned and must outlive the object.
  // UNIMPLEMENTED: the installed libpocketsphinx lacks a function or has other structures; the message names
  // the library found and the version wanted. NOT_FOUND: `model_folder` has no model definition.
  static absl::StatusOr<std::unique_ptr<StateAlignment>> Create(ps_decoder_s* decoder,
                                                                const std::string& model_folder);
  virtual ~StateAlignment() = default;

  virtual int32_t num_senones() const = 0;
  // The senones of the fillers (silence, noise, spoken noise), ascending.
  virtual const std::vector<int32_t>& silence_senones() const = 0;

  // Aligns the utterance that `decoder` has finished last, whose features are used again, to `words`. These
  // include fillers and alternative pronunciations as the dictionary writes them: "<sil>", "read(2)".
  // NOT_FOUND: a word is not in the dictionary. FAILED_PRECONDITION: no path, or more than 32,767 frames.
  virtual absl::StatusOr<Alignment> Align(const std::vector<std::string>& words) = 0;
};

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_CORPUS_STATE_ALIGNMENT_H_
