// Where on the data's way: in process; reads which samples the file has, and appends the others.
#include "deploy/in_process/sample_file.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/file/file.h"
#include "common/layout/network_layout.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "common/wire/run_identity.h"

namespace downpour {
namespace {

constexpr absl::string_view kColumns = "update,key,layer,step_size,change\n";

}  // namespace

std::vector<int64_t> KeysToSample(const ParameterLayout& layout, int elements, uint64_t seed) {
  std::vector<int64_t> keys;
  for (size_t tensor = 0; tensor < layout.tensors().size(); tensor += 2) {  // weights, bias, weights, ...
    const KeyRange range = layout.tensors()[tensor].keys;
    Random random(seed, /*stream=*/tensor + 1);
    std::set<int64_t> drawn;
    while (static_cast<int64_t>(drawn.size()) < std::min<int64_t>(elements, range.size()))
      drawn.insert(range.begin + static_cast<int64_t>(random.Below(static_cast<uint64_t>(range.size()))));
    keys.insert(keys.end(), drawn.begin(), drawn.end());
  }
  return keys;
}

absl::StatusOr<SampleFile> SampleFile::Open(const std::string& run_dir, const RunDescription& description,
                                            const DataSummary& data) {
  SampleFile result;
  result.every_updates_ = static_cast<uint64_t>(description.sampling().every_updates());
  if (result.every_updates_ == 0) return result;
  ASSIGN_OR_RETURN(const ParameterLayout layout,
                   NetworkLayout(description.network(), data.input_dim(), data.classes()));
  result.keys_ = KeysToSample(layout, description.sampling().elements(), description.seed());
  for (size_t tensor = 1; tensor < layout.tensors().size(); tensor += 2)
    result.layer_ends_.push_back(layout.tensors()[tensor].keys.end);
  const std::string path = run_dir + "/samples.csv";
  absl::StatusOr<std::string> text = ReadFile(path);
  if (absl::IsNotFound(text.status())) text = "";
  RETURN_IF_ERROR(text.status());
  // A last line without an end was cut off by a crash.
  const size_t whole = text->find_last_of('\n') + 1;
  ASSIGN_OR_RETURN(result.file_, AppendFile::Open(path, static_cast<int64_t>(whole)));
  if (whole == 0) result.file_->Append(kColumns);
  for (const absl::string_view line : absl::StrSplit(text->substr(0, whole), '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ',');
    uint64_t update = 0, key = 0;
    if (fields.size() > 1 && absl::SimpleAtoi(fields[0], &update) && absl::SimpleAtoi(fields[1], &key))
      result.written_.insert({update, key});
  }
  return result;
}

absl::Status SampleFile::TakeFrom(const InProcessShards& shards) {
  if (every_updates_ == 0) return absl::OkStatus();
  for (const auto& shard : shards) {
    SampleRequest request;
    FillRunIdentity(shard->run(), request.mutable_run());
    request.set_every_updates(every_updates_);
    const KeyRange range = shard->range();
    const auto end = std::lower_bound(keys_.begin(), keys_.end(), range.end);
    request.mutable_key()->Add(std::lower_bound(keys_.begin(), keys_.end(), range.begin), end);
    if (request.key().empty()) continue;
    ASSIGN_OR_RETURN(const SampleReply samples, shard->Sample(request));
    for (const ElementSample& sample : samples.sample()) {
      if (!written_.insert({sample.update(), sample.key()}).second) continue;
      const auto key = static_cast<int64_t>(sample.key());
      const auto layer = std::upper_bound(layer_ends_.begin(), layer_ends_.end(), key) - layer_ends_.begin();
      file_->Append(absl::StrCat(sample.update(), ",", key, ",", layer, ",", sample.step_size(), ",",
                                 sample.change(), "\n"));
    }
  }
  return file_->Flush();
}

}  // namespace downpour
