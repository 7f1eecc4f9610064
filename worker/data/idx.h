// Where on the data's way: from MNIST's IDX files to a data set; an image is an utterance of one frame.
#ifndef DOWNPOUR_WORKER_DATA_IDX_H_
#define DOWNPOUR_WORKER_DATA_IDX_H_

#include "proto/config.pb.h"
#include "worker/data/run_data.h"

namespace downpour {

// IDX (LeCun's MNIST page), plain or gzipped: big-endian uint32 magic 0x00000803 (images) or 0x00000801
// (labels), then uint32 of each dimension, then unsigned bytes, row-major.
struct IdxImages {
  int64_t count = 0;
  int64_t rows = 0;
  int64_t columns = 0;
  std::vector<uint8_t> pixels;  // [count, rows, columns]
};

// NOT_FOUND, UNAVAILABLE: as ByteSource::Open. DATA_LOSS: truncated, corrupt gzip, or bytes after the end.
// INVALID_ARGUMENT: another magic, no image, or a side of an image outside [1, 4096].
absl::StatusOr<IdxImages> ReadIdxImages(const std::string& path);
// Likewise; INVALID_ARGUMENT also for a label above 9.
absl::StatusOr<std::vector<uint8_t>> ReadIdxLabels(const std::string& path);

// Reads {train,t10k}-{images-idx3,labels-idx1}-ubyte[.gz] in description.mnist_dir(). An image is an
// utterance of one frame; a feature is a pixel divided by 255, then normalised by `normalization` if that is
// not null. Otherwise the summary records mean 0 and standard deviation 1: Zeiler 2012 mentions no
// normalisation. The context of `description` is ignored. Statuses as above. NOT_FOUND: a file exists under
// neither of its two names. INVALID_ARGUMENT: counts of images and labels differ, images of the two parts
// differ in size, fewer classes wanted than digits, or a normalisation of another size than an image.
absl::StatusOr<RunData> LoadMnistRunData(const DataDescription& description,
                                         const Normalization* normalization);

}  // namespace downpour

#endif  // DOWNPOUR_WORKER_DATA_IDX_H_
