// Where on the data's way: writes the JSON header, then the tensors' values as they are in memory.
#include "deploy/export/safetensors.h"

#include <bit>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/file/file.h"
#include "common/printable.h"

namespace downpour {
namespace {

static_assert(std::endian::native == std::endian::little,
              "integers and tensors are copied as they are in memory");

std::string JsonString(absl::string_view text) {
  std::string json = "\"";
  for (const char c : Printable(text)) {
    if (c == '"' || c == '\\') json += '\\';
    json += c;
  }
  return json + "\"";
}

}  // namespace

std::string SafetensorsHeader(const Safetensors& file) {
  std::vector<std::string> members, metadata;
  for (const auto& [name, text] : file.metadata)
    metadata.push_back(absl::StrCat(JsonString(name), ":", JsonString(text)));
  members.push_back(absl::StrCat("\"__metadata__\":{", absl::StrJoin(metadata, ","), "}"));
  size_t begin = 0;
  for (const Safetensors::Tensor& tensor : file.tensors) {
    const size_t end = begin + tensor.values.size() * sizeof(float);
    members.push_back(absl::StrCat(JsonString(tensor.name), ":{\"dtype\":\"F32\",\"shape\":[",
                                   absl::StrJoin(tensor.shape, ","), "],\"data_offsets\":[", begin, ",", end,
                                   "]}"));
    begin = end;
  }
  std::string json = absl::StrCat("{", absl::StrJoin(members, ","), "}");
  json.resize((json.size() + 7) / 8 * 8, ' ');
  const uint64_t size = json.size();
  return absl::StrCat(absl::string_view(reinterpret_cast<const char*>(&size), sizeof(size)), json);
}

absl::Status WriteSafetensors(const std::string& path, const Safetensors& file) {
  const std::string header = SafetensorsHeader(file);
  std::vector<absl::string_view> pieces = {header};
  for (const Safetensors::Tensor& tensor : file.tensors) {
    pieces.emplace_back(reinterpret_cast<const char*>(tensor.values.data()),
                        tensor.values.size() * sizeof(float));
  }
  return ReplaceFile(path, pieces);
}

}  // namespace downpour
