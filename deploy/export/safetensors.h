// Where on the data's way: the file format in which a trained network goes to other programs.
#ifndef DOWNPOUR_DEPLOY_EXPORT_SAFETENSORS_H_
#define DOWNPOUR_DEPLOY_EXPORT_SAFETENSORS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"

namespace downpour {

// A safetensors file (https://github.com/huggingface/safetensors), little-endian:
//   u64 header bytes
//   header: a JSON object, padded with blanks to a multiple of 8: "__metadata__" maps text to text, each
//           other key is a tensor's name, with its dtype, shape, and begin and end of its values, counted
//           from the header's end
//   the tensors' values, row-major, one after the other without gaps
// For example metadata {"a": "b"} and one tensor "t" of shape [2] that holds 1 and 2 (3f800000, 40000000):
//   00  50 00 00 00 00 00 00 00           80 bytes of header
//   08  {"__metadata__":{"a":"b"},"t":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}} and a blank
//   58  00 00 80 3f 00 00 00 40           the values
struct Safetensors {
  struct Tensor {
    std::string name;
    std::vector<int64_t> shape;
    absl::Span<const float> values;  // as many as `shape` says; not owned
  };
  std::vector<std::pair<std::string, std::string>> metadata;  // UTF-8
  std::vector<Tensor> tensors;
};

// The file's bytes before the values: the header's length and the header.
std::string SafetensorsHeader(const Safetensors& file);
// Statuses as ReplaceFile (common/file/file.h).
absl::Status WriteSafetensors(const std::string& path, const Safetensors& file);

}  // namespace downpour

#endif  // DOWNPOUR_DEPLOY_EXPORT_SAFETENSORS_H_
