// Where on the data's way: from MNIST's IDX files to a data set; headers are checked, pixels scaled.
#include "worker/data/idx.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "common/file/crc32c.h"
#include "common/status_macros.h"
#include "worker/data/byte_source.h"

namespace downpour {
namespace {

constexpr uint32_t kImagesMagic = 0x00000803;
constexpr uint32_t kLabelsMagic = 0x00000801;
constexpr int64_t kMaxSide = 4096;
constexpr int32_t kDigits = 10;

absl::StatusOr<uint32_t> ReadBigEndian(ByteSource& source) {
  uint8_t bytes[4];
  RETURN_IF_ERROR(source.Read(sizeof(bytes), bytes));
  return uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 | uint32_t{bytes[2]} << 8 | bytes[3];
}

absl::Status ReadMagic(ByteSource& source, uint32_t wanted) {
  ASSIGN_OR_RETURN(const uint32_t magic, ReadBigEndian(source));
  if (magic == wanted) return absl::OkStatus();
  return source.Error(absl::StatusCode::kInvalidArgument, 0,
                      absl::StrFormat("magic number 0x%08x, want 0x%08x", magic, wanted));
}

absl::StatusOr<int64_t> ReadDimension(ByteSource& source, absl::string_view what, int64_t maximum) {
  const int64_t at = source.position();
  ASSIGN_OR_RETURN(const int64_t value, ReadBigEndian(source));
  if (value >= 1 && value <= maximum) return value;
  return source.Error(absl::StatusCode::kInvalidArgument, at,
                      absl::StrCat(value, " ", what, ", want 1 to ", maximum));
}

// Reads `size` bytes, which must be the file's last.
absl::StatusOr<std::vector<uint8_t>> ReadToEnd(ByteSource& source, int64_t size) {
  const int64_t begin = source.position();
  if (size > source.most_left()) {
    return source.Error(absl::StatusCode::kDataLoss, begin,
                        absl::StrCat("truncated: the header promises ", size, " bytes, at most ",
                                     source.most_left(), " follow"));
  }
  std::vector<uint8_t> bytes;
  RETURN_IF_ERROR(source.ReadVector(size, &bytes));
  if (source.Get() >= 0) {
    return source.Error(absl::StatusCode::kDataLoss, begin + size,
                        "bytes after the end that the header gives");
  }
  RETURN_IF_ERROR(source.failure());
  return bytes;
}

absl::StatusOr<std::string> FindFile(const std::string& directory, absl::string_view name) {
  const std::string plain = absl::StrCat(directory, "/", name);
  for (const std::string& path : {plain, plain + ".gz"})
    if (std::error_code error; std::filesystem::exists(path, error)) return path;
  return absl::NotFoundError(absl::StrCat(plain, "[.gz]: no such file"));
}

struct Part {
  IdxImages images;
  std::vector<uint8_t> labels;
};

// `prefix`: "train" or "t10k".
absl::StatusOr<Part> ReadPart(const std::string& directory, absl::string_view prefix) {
  ASSIGN_OR_RETURN(const std::string images_path,
                   FindFile(directory, absl::StrCat(prefix, "-images-idx3-ubyte")));
  ASSIGN_OR_RETURN(const std::string labels_path,
                   FindFile(directory, absl::StrCat(prefix, "-labels-idx1-ubyte")));
  Part part;
  ASSIGN_OR_RETURN(part.images, ReadIdxImages(images_path));
  ASSIGN_OR_RETURN(part.labels, ReadIdxLabels(labels_path));
  if (const int64_t labels = static_cast<int64_t>(part.labels.size()); labels != part.images.count) {
    return absl::InvalidArgumentError(absl::StrCat(labels_path, " has ", labels, " labels, ", images_path,
                                                   " ", part.images.count, " images"));
  }
  return part;
}

std::shared_ptr<const Dataset> MakeDataset(const Part& part, absl::string_view prefix,
                                           const Normalization& normalization) {
  const int64_t dim = part.images.rows * part.images.columns;
  std::vector<Dataset::Utterance> utterances;
  utterances.reserve(part.images.count);
  std::vector<float> features(part.images.pixels.size());
  for (int64_t image = 0; image < part.images.count; ++image) {
    utterances.push_back({absl::StrFormat("%s-%05d", prefix, image), image, 1});
    for (int64_t i = 0; i < dim; ++i) {
      const float pixel = static_cast<float>(part.images.pixels[image * dim + i]) / 255.0f;
      features[image * dim + i] = (pixel - normalization.mean[i]) / normalization.stddev[i];
    }
  }
  return std::make_shared<const Dataset>(std::move(utterances), std::move(features),
                                         std::vector<int32_t>(part.labels.begin(), part.labels.end()),
                                         static_cast<int32_t>(dim), /*left_context=*/0, /*right_context=*/0,
                                         std::vector<bool>());
}

}  // namespace

absl::StatusOr<IdxImages> ReadIdxImages(const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> source, ByteSource::Open(path));
  RETURN_IF_ERROR(ReadMagic(*source, kImagesMagic));
  IdxImages images;
  ASSIGN_OR_RETURN(images.count, ReadDimension(*source, "images", UINT32_MAX));
  ASSIGN_OR_RETURN(images.rows, ReadDimension(*source, "rows", kMaxSide));
  ASSIGN_OR_RETURN(images.columns, ReadDimension(*source, "columns", kMaxSide));
  ASSIGN_OR_RETURN(images.pixels, ReadToEnd(*source, images.count * images.rows * images.columns));
  return images;
}

absl::StatusOr<std::vector<uint8_t>> ReadIdxLabels(const std::string& path) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ByteSource> source, ByteSource::Open(path));
  RETURN_IF_ERROR(ReadMagic(*source, kLabelsMagic));
  ASSIGN_OR_RETURN(const int64_t count, ReadDimension(*source, "labels", UINT32_MAX));
  const int64_t begin = source->position();
  ASSIGN_OR_RETURN(std::vector<uint8_t> labels, ReadToEnd(*source, count));
  for (int64_t i = 0; i < count; ++i) {
    if (labels[i] >= kDigits) {
      return source->Error(absl::StatusCode::kInvalidArgument, begin + i,
                           absl::StrCat("label ", int{labels[i]}, ", want 0 to ", kDigits - 1));
    }
  }
  return labels;
}

absl::StatusOr<RunData> LoadMnistRunData(const DataDescription& description,
                                         const Normalization* normalization) {
  const std::string& directory = description.mnist_dir();
  if (description.classes() != 0 && description.classes() < kDigits) {
    return absl::InvalidArgumentError(
        absl::StrCat("data.classes: ", description.classes(), ", want at least ", kDigits, ", or 0"));
  }
  ASSIGN_OR_RETURN(const Part train, ReadPart(directory, "train"));
  ASSIGN_OR_RETURN(const Part test, ReadPart(directory, "t10k"));
  const auto shape = [](const Part& part) {
    return absl::StrCat(part.images.rows, " x ", part.images.columns);
  };
  if (shape(train) != shape(test)) {
    return absl::InvalidArgumentError(
        absl::StrCat(directory, ": train images are ", shape(train), " pixels, t10k images ", shape(test)));
  }
  const size_t dim = train.images.rows * train.images.columns;
  RunData data;
  data.normalization = normalization != nullptr
                           ? *normalization
                           : Normalization{std::vector<float>(dim, 0.0f), std::vector<float>(dim, 1.0f)};
  if (data.normalization.mean.size() != dim || data.normalization.stddev.size() != dim) {
    return absl::InvalidArgumentError(absl::StrCat(directory, ": images of ", dim,
                                                   " pixels, a normalisation of ",
                                                   data.normalization.mean.size(), " features"));
  }
  data.train = MakeDataset(train, "train", data.normalization);
  data.test = MakeDataset(test, "t10k", data.normalization);
  const std::vector<uint8_t>& pixels = train.images.pixels;
  data.summary = Summarize(*data.train, data.normalization, std::max(description.classes(), kDigits),
                           Crc32c({reinterpret_cast<const char*>(pixels.data()), pixels.size()}));
  data.summary.set_majority_test_accuracy(data.test->ShareOf(data.train->most_frequent_label()));
  return data;
}

}  // namespace downpour
