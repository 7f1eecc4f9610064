// Where on the data's way: from the bytes of a Kaldi archive to floats; each matrix format is unpacked here.
#include "worker/data/kaldi_matrix.h"

#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status_macros.h"

namespace downpour {
namespace {

using absl::StatusCode;

struct CompressedHeader {
  float min;
  float range;
  int32_t rows;
  int32_t cols;
};
static_assert(sizeof(CompressedHeader) == 16);

using ColumnPercentiles = std::array<uint16_t, 4>;  // 0, 25, 75, 100

// Sets the matrix's shape to rows x cols. DATA_LOSS if fewer bytes can follow than `value_bytes` for each
// value and `column_bytes` for each column.
absl::Status Shape(const ByteSource& bytes, int64_t at, int32_t rows, int32_t cols, int64_t value_bytes,
                   int64_t column_bytes, FloatMatrix* matrix) {
  if (rows < 0 || cols < 0 || (rows == 0) != (cols == 0)) {
    return bytes.Error(StatusCode::kDataLoss, at,
                       absl::StrCat("matrix of ", rows, " rows and ", cols, " columns, want both positive"));
  }
  const int64_t count = int64_t{rows} * cols;
  if (count > kMostObjectValues && count / 1024 * value_bytes <= bytes.most_left() / 1024) {
    return bytes.Error(StatusCode::kInvalidArgument, at,
                       absl::StrCat("matrix of ", rows, " rows and ", cols, " columns, want at most ",
                                    kMostObjectValues, " values; cut the utterance into shorter ones"));
  }
  if (count > kMostObjectValues || count * value_bytes + cols * column_bytes > bytes.most_left()) {
    return bytes.Error(StatusCode::kDataLoss, at,
                       absl::StrCat("matrix of ", rows, " rows and ", cols, " columns: at most ",
                                    bytes.most_left(), " bytes follow"));
  }
  matrix->rows = rows;
  matrix->cols = cols;
  return absl::OkStatus();
}

absl::Status ReadSizedInt32(ByteSource* bytes, int32_t* value) {
  const int64_t at = bytes->position();
  const int size = bytes->Get();
  if (size != 4) return bytes->Error(StatusCode::kDataLoss, at, absl::StrCat("size byte ", size, ", want 4"));
  return bytes->Read(sizeof(*value), value);
}

template <typename Real>
absl::Status ReadFull(ByteSource* bytes, FloatMatrix* matrix) {
  const int64_t at = bytes->position();
  int32_t rows = 0;
  int32_t cols = 0;
  RETURN_IF_ERROR(ReadSizedInt32(bytes, &rows));
  RETURN_IF_ERROR(ReadSizedInt32(bytes, &cols));
  RETURN_IF_ERROR(Shape(*bytes, at, rows, cols, sizeof(Real), 0, matrix));
  if constexpr (std::is_same_v<Real, float>) {
    if (bytes->plain()) matrix->values_at = bytes->position();
    return bytes->ReadVector(matrix->rows * matrix->cols, &matrix->values);
  }
  std::vector<Real> values;
  RETURN_IF_ERROR(bytes->ReadVector(matrix->rows * matrix->cols, &values));
  matrix->values.assign(values.begin(), values.end());
  return absl::OkStatus();
}

// CM2 and CM3.
template <typename Code>
absl::Status ReadLinear(ByteSource* bytes, const CompressedHeader& header, FloatMatrix* matrix) {
  RETURN_IF_ERROR(Shape(*bytes, bytes->position(), header.rows, header.cols, sizeof(Code), 0, matrix));
  std::vector<Code> codes;
  RETURN_IF_ERROR(bytes->ReadVector(matrix->rows * matrix->cols, &codes));
  matrix->values.resize(codes.size());
  const float step = header.range / static_cast<float>(static_cast<Code>(-1));
  for (size_t i = 0; i < codes.size(); ++i) matrix->values[i] = header.min + step * codes[i];
  return absl::OkStatus();
}

// CM. Each column has a table of the 256 values that a code can mean.
absl::Status ReadPerColumn(ByteSource* bytes, const CompressedHeader& header, FloatMatrix* matrix) {
  RETURN_IF_ERROR(
      Shape(*bytes, bytes->position(), header.rows, header.cols, 1, sizeof(ColumnPercentiles), matrix));
  std::vector<ColumnPercentiles> percentiles;
  RETURN_IF_ERROR(bytes->ReadVector(header.cols, &percentiles));
  std::vector<uint8_t> codes;
  RETURN_IF_ERROR(bytes->ReadVector(matrix->rows * matrix->cols, &codes));
  matrix->values.resize(codes.size());
  for (int64_t col = 0; col < matrix->cols; ++col) {
    std::array<float, 4> p;
    for (int i = 0; i < 4; ++i) p[i] = header.min + header.range / 65535.0f * percentiles[col][i];
    std::array<float, 256> value;
    for (int code = 0; code < 256; ++code) {
      value[code] = code <= 64    ? p[0] + (p[1] - p[0]) * code / 64
                    : code <= 192 ? p[1] + (p[2] - p[1]) * (code - 64) / 128
                                  : p[2] + (p[3] - p[2]) * (code - 192) / 63;
    }
    for (int64_t row = 0; row < matrix->rows; ++row)
      matrix->values[row * matrix->cols + col] = value[codes[col * matrix->rows + row]];
  }
  return absl::OkStatus();
}

// Appends the numbers of one line of text to `values`.
absl::Status ReadTextRow(ByteSource* bytes, std::vector<float>* values) {
  for (;;) {
    SkipBlanks(bytes);
    const int next = bytes->Peek();
    if (next < 0 || next == '\n' || next == ']') return absl::OkStatus();
    const int64_t at = bytes->position();
    const std::string token = ReadTextToken(bytes);
    float value = 0;
    if (!absl::SimpleAtof(token, &value)) {
      return bytes->Error(StatusCode::kDataLoss, at,
                          absl::StrCat("\"", absl::CHexEscape(token), "\", want a number or \"]\""));
    }
    if (static_cast<int64_t>(values->size()) == kMostObjectValues) {
      return bytes->Error(StatusCode::kDataLoss, at,
                          absl::StrCat("matrix of more than ", kMostObjectValues, " values"));
    }
    values->push_back(value);
  }
}

}  // namespace

std::string ReadTextToken(ByteSource* bytes) {
  std::string token;
  for (int next = bytes->Peek(); next >= 0 && next != ']' && !absl::ascii_isspace(next) && token.size() < 64;
       next = bytes->Peek()) {
    token.push_back(static_cast<char>(bytes->Get()));
  }
  return token;
}

void SkipBlanks(ByteSource* bytes) {
  for (int next = bytes->Peek(); next == ' ' || next == '\t' || next == '\r'; next = bytes->Peek())
    bytes->Get();
}

absl::Status ReadBinaryMatrix(ByteSource* bytes, FloatMatrix* matrix) {
  const int64_t at = bytes->position();
  matrix->values_at = -1;
  if (bytes->Peek() == 4)
    return bytes->Error(StatusCode::kInvalidArgument, at, "an int32 vector, want a float matrix");
  std::string token;
  for (int next = bytes->Get(); next >= 0 && next != ' ' && token.size() < 8; next = bytes->Get())
    token.push_back(static_cast<char>(next));
  if (token == "FM") return ReadFull<float>(bytes, matrix);
  if (token == "DM") return ReadFull<double>(bytes, matrix);
  if (token != "CM" && token != "CM2" && token != "CM3") {
    const bool truncated = bytes->Peek() < 0;
    return bytes->Error(
        truncated ? StatusCode::kDataLoss : StatusCode::kInvalidArgument, at,
        absl::StrCat(truncated ? "truncated: " : "", "object type \"", absl::CHexEscape(token),
                     "\", want a float matrix: FM, DM, CM, CM2 or CM3"));
  }
  CompressedHeader header;
  RETURN_IF_ERROR(bytes->Read(sizeof(header), &header));
  if (token == "CM2") return ReadLinear<uint16_t>(bytes, header, matrix);
  if (token == "CM3") return ReadLinear<uint8_t>(bytes, header, matrix);
  return ReadPerColumn(bytes, header, matrix);
}

absl::Status ReadTextMatrix(ByteSource* bytes, FloatMatrix* matrix) {
  SkipBlanks(bytes);
  const int64_t begin = bytes->position();
  if (const int first = bytes->Get(); first != '[') {
    if (first < 0) return bytes->Error(StatusCode::kDataLoss, begin, "truncated, want a matrix");
    const std::string seen(1, static_cast<char>(first));
    return bytes->Error(
        StatusCode::kInvalidArgument, begin,
        absl::StrCat("\"", absl::CHexEscape(seen), "\", want a float matrix, \"\\0B\" or \"[\""));
  }
  *matrix = FloatMatrix();
  for (;;) {
    const int64_t at = bytes->position();
    const int64_t before = static_cast<int64_t>(matrix->values.size());
    RETURN_IF_ERROR(ReadTextRow(bytes, &matrix->values));
    const int64_t row_values = static_cast<int64_t>(matrix->values.size()) - before;
    if (row_values > 0) {
      if (matrix->rows++ == 0) matrix->cols = row_values;
      if (row_values != matrix->cols) {
        return bytes->Error(StatusCode::kDataLoss, at,
                            absl::StrCat("row ", matrix->rows, " of the matrix has ", row_values,
                                         " values, want ", matrix->cols, " as in its first"));
      }
    }
    const int end = bytes->Get();
    if (end == ']') return absl::OkStatus();
    if (end < 0) return bytes->Error(StatusCode::kDataLoss, bytes->position(), "truncated, want \"]\"");
  }
}

}  // namespace downpour
