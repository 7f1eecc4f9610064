// Where on the data's way: from MNIST's IDX files to a data set; files whole and damaged.
#include "worker/data/idx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace downpour {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string BigEndian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

std::string Images(uint32_t count, uint32_t rows, uint32_t columns, const std::string& pixels) {
  return BigEndian(0x803) + BigEndian(count) + BigEndian(rows) + BigEndian(columns) + pixels;
}

std::string Labels(uint32_t count, const std::string& labels) {
  return BigEndian(0x801) + BigEndian(count) + labels;
}

class IdxTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        ::testing::TempDir() + "/idx_" + ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
  }

  std::string Write(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  std::string WriteGzipped(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ + "/" + name;
    const gzFile file = gzopen(path.c_str(), "wb");
    gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
    gzclose(file);
    return path;
  }
  // Three images of 1 x 2 pixels to train on, two to test; the test part gzipped.
  void WriteMnist() {
    Write("train-images-idx3-ubyte", Images(3, 1, 2, {'\0', '\xff', '\x33', '\x66', '\x99', '\xcc'}));
    Write("train-labels-idx1-ubyte", Labels(3, {7, 0, 9}));
    WriteGzipped("t10k-images-idx3-ubyte.gz", Images(2, 1, 2, {'\xff', '\0', '\0', '\0'}));
    WriteGzipped("t10k-labels-idx1-ubyte.gz", Labels(2, {1, 2}));
  }
  absl::StatusOr<RunData> Load(int32_t classes = 0) {
    DataDescription description;
    description.set_mnist_dir(folder_);
    description.set_classes(classes);
    return LoadMnistRunData(description, nullptr);
  }
  void ExpectImagesError(const std::string& bytes, absl::StatusCode code, const std::string& message) {
    const std::string path = Write("images", bytes);
    const auto images = ReadIdxImages(path);
    EXPECT_EQ(images.status().code(), code);
    EXPECT_THAT(std::string(images.status().message()), StartsWith(path + ": " + message));
  }

  std::string folder_;
};

TEST_F(IdxTest, ReadsImagesAndLabels) {
  const auto images = ReadIdxImages(Write("images", Images(2, 1, 3, "abcdef")));
  ASSERT_TRUE(images.ok()) << images.status();
  EXPECT_EQ(images->count, 2);
  EXPECT_EQ(images->rows, 1);
  EXPECT_EQ(images->columns, 3);
  EXPECT_THAT(images->pixels, ElementsAre('a', 'b', 'c', 'd', 'e', 'f'));
  const auto labels = ReadIdxLabels(Write("labels", Labels(3, {9, 0, 4})));
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(*labels, ElementsAre(9, 0, 4));
}

TEST_F(IdxTest, RefusesWhatIsNoImageFile) {
  const auto invalid = absl::StatusCode::kInvalidArgument;
  const auto data_loss = absl::StatusCode::kDataLoss;
  ExpectImagesError(Labels(1, {0}), invalid, "byte 0: magic number 0x00000801, want 0x00000803");
  ExpectImagesError(Images(0, 1, 1, ""), invalid, "byte 4: 0 images");
  ExpectImagesError(Images(1, 0, 1, ""), invalid, "byte 8: 0 rows, want 1 to 4096");
  ExpectImagesError(Images(1, 1, 4097, ""), invalid, "byte 12: 4097 columns, want 1 to 4096");
  ExpectImagesError("", data_loss, "byte 0: truncated");
  ExpectImagesError(Images(1, 1, 1, "").substr(0, 14), data_loss, "byte 12: truncated");
  ExpectImagesError(Images(2, 1, 3, "abcde"), data_loss, "byte 16: truncated");
  ExpectImagesError(Images(2, 1, 3, "abcdefg"), data_loss, "byte 22: bytes after the end");
}

TEST_F(IdxTest, AHugeCountIsRefusedBeforeMemoryIsTakenForIt) {
  ExpectImagesError(Images(0xffffffff, 4096, 4096, "abc"), absl::StatusCode::kDataLoss, "byte 16: truncated");
}

TEST_F(IdxTest, RefusesGzippedFilesCutShort) {
  const std::string path = WriteGzipped("images.gz", Images(4, 8, 8, std::string(256, 'x')));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 9);
  EXPECT_EQ(ReadIdxImages(path).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(IdxTest, RefusesALabelAboveNine) {
  const auto labels = ReadIdxLabels(Write("labels", Labels(3, {9, 10, 4})));
  EXPECT_EQ(labels.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(labels.status().message()), HasSubstr("byte 9: label 10, want 0 to 9"));
}

TEST_F(IdxTest, LoadsBothPartsAsOneFrameUtterances) {
  WriteMnist();
  const auto data = Load();
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ(data->train->frames(), 3);
  EXPECT_EQ(data->test->frames(), 2);
  EXPECT_EQ(data->test_human, nullptr);
  EXPECT_EQ(data->train->input_dim(), 2);
  EXPECT_EQ(data->train->label(2), 9);
  EXPECT_EQ(data->test->label(1), 2);
  float pixels[2];
  data->train->CopyWindow(data->train->utterances()[1], 0, pixels);
  EXPECT_THAT(pixels, ElementsAre(0.2f, 0.4f));
  EXPECT_EQ(data->summary.classes(), 10);
  EXPECT_EQ(data->summary.input_dim(), 2);
  EXPECT_EQ(data->summary.utterances(), 3);
  EXPECT_THAT(data->normalization.mean, ElementsAre(0, 0));
  EXPECT_THAT(data->normalization.stddev, ElementsAre(1, 1));
}

TEST_F(IdxTest, UsesTheNormalizationItIsGiven) {
  WriteMnist();
  DataDescription description;
  description.set_mnist_dir(folder_);
  const Normalization normalization = {{0.5f, 0}, {0.5f, 2}};
  const auto data = LoadMnistRunData(description, &normalization);
  ASSERT_TRUE(data.ok()) << data.status();
  float pixels[2];
  data->train->CopyWindow(data->train->utterances()[0], 0, pixels);
  EXPECT_THAT(pixels, ElementsAre(-1, 0.5f));
  const Normalization wrong = {{0.5f}, {1}};
  EXPECT_EQ(LoadMnistRunData(description, &wrong).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(IdxTest, ClassesMayBeRaisedButNotLowered) {
  WriteMnist();
  EXPECT_EQ(Load(12)->summary.classes(), 12);
  EXPECT_EQ(Load(9).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(IdxTest, NamesTheFileThatIsMissing) {
  WriteMnist();
  std::filesystem::remove(folder_ + "/t10k-labels-idx1-ubyte.gz");
  const auto data = Load();
  EXPECT_EQ(data.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(data.status().message()), HasSubstr(folder_ + "/t10k-labels-idx1-ubyte"));
}

TEST_F(IdxTest, RefusesPartsThatDoNotFitTogether) {
  WriteMnist();
  Write("train-labels-idx1-ubyte", Labels(2, {7, 0}));
  EXPECT_EQ(Load().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Load().status().message()), HasSubstr("train-labels-idx1-ubyte has 2 labels"));
  Write("train-labels-idx1-ubyte", Labels(3, {7, 0, 9}));
  Write("t10k-images-idx3-ubyte", Images(2, 2, 1, "abcd"));
  EXPECT_EQ(Load().status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(Load().status().message()),
              HasSubstr("train images are 1 x 2 pixels, t10k images 2 x 1"));
}

}  // namespace
}  // namespace downpour
