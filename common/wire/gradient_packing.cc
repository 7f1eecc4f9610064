// Where on the data's way: packs each block of a gradient in the shortest of four forms, and unpacks it.
#include "common/wire/gradient_packing.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "common/status_macros.h"
#include "common/tensor/bfloat16.h"
#include "common/wire/byte_reader.h"

namespace downpour {
namespace {

using Block = absl::Span<const uint16_t>;

enum Form : uint8_t { kPlain = 0, kTwoValues = 1, kEightBit = 2, kSparse = 3 };

constexpr size_t kTwoValuesBytes = 5;  // without the bits
constexpr size_t kEightBitBytes = 2;   // without the elements
constexpr size_t kSparseBytes = 3;     // without offsets and values
constexpr int kExponentBias = 127;

template <typename T>
void Append(const T* values, size_t count, std::string* packed) {
  packed->append(reinterpret_cast<const char*>(values), count * sizeof(T));
}

// The second value of a block that has two, the first of one that has one; none if there are more values.
std::optional<uint16_t> SecondOfTwo(Block block) {
  const uint16_t first = block[0];
  const auto other =
      std::find_if(block.begin(), block.end(), [first](uint16_t value) { return value != first; });
  const uint16_t second = other == block.end() ? first : *other;
  bool only_two = true;
  for (const uint16_t value : block) only_two &= value == first || value == second;
  return only_two ? std::optional(second) : std::nullopt;
}

// The exponent of a power of two of which all elements are multiples, -127 to 127; none if there is none.
std::optional<int> CommonExponent(Block block) {
  int lowest = kExponentBias;
  uint16_t largest = 0;
  for (const uint16_t value : block) {
    const uint16_t magnitude = value & 0x7fff;
    if (magnitude == 0) {
      if (value != 0) return std::nullopt;  // -0
      continue;
    }
    const int exponent = magnitude >> 7;
    if (exponent == 0 || exponent == 255) return std::nullopt;  // denormal or not finite
    const int significand = 0x80 | (magnitude & 0x7f);          // times 2^(exponent - bias - 7)
    lowest =
        std::min(lowest, exponent - kExponentBias - 7 + std::countr_zero(static_cast<unsigned>(significand)));
    largest = std::max(largest, magnitude);
  }
  const bool fits = lowest >= 1 - kExponentBias && std::ldexp(FromBfloat16(largest), -lowest) <= 127;
  return fits ? std::optional(lowest) : std::nullopt;
}

void AppendTwoValues(Block block, uint16_t second, std::string* packed) {
  const uint16_t values[] = {block[0], second};
  packed->push_back(kTwoValues);
  Append(values, 2, packed);
  for (size_t begin = 0; begin < block.size(); begin += 8) {
    unsigned bits = 0;
    const size_t count = std::min<size_t>(8, block.size() - begin);
    for (size_t i = 0; i < count; ++i) bits |= unsigned{block[begin + i] != values[0]} << i;
    packed->push_back(static_cast<char>(bits));
  }
}

void AppendEightBit(Block block, int exponent, std::string* packed) {
  packed->push_back(kEightBit);
  packed->push_back(static_cast<char>(exponent + kExponentBias));
  const float scale = std::ldexp(1.0f, -exponent);
  for (const uint16_t value : block)
    packed->push_back(static_cast<char>(static_cast<int>(FromBfloat16(value) * scale)));
}

void AppendSparse(Block block, uint16_t nonzeros, std::string* packed) {
  packed->push_back(kSparse);
  Append(&nonzeros, 1, packed);
  for (size_t i = 0; i < block.size(); ++i) {
    const auto offset = static_cast<uint16_t>(i);
    if (block[i] != 0) Append(&offset, 1, packed);
  }
  for (const uint16_t value : block)
    if (value != 0) Append(&value, 1, packed);
}

void AppendBlock(Block block, std::string* packed) {
  const auto nonzeros =
      static_cast<uint16_t>(block.size() - std::count(block.begin(), block.end(), uint16_t{0}));
  const size_t sparse = kSparseBytes + 4 * size_t{nonzeros};
  const size_t two_values = kTwoValuesBytes + (block.size() + 7) / 8;
  if (two_values <= sparse) {
    if (const std::optional<uint16_t> second = SecondOfTwo(block))
      return AppendTwoValues(block, *second, packed);
  }
  if (kEightBitBytes + block.size() <= sparse) {
    if (const std::optional<int> exponent = CommonExponent(block))
      return AppendEightBit(block, *exponent, packed);
  }
  if (sparse <= 1 + 2 * block.size()) return AppendSparse(block, nonzeros, packed);
  packed->push_back(kPlain);
  Append(block.data(), block.size(), packed);
}

absl::Status ReadTwoValues(ByteReader& reader, absl::Span<uint16_t> block) {
  ASSIGN_OR_RETURN(const uint16_t first, reader.Number<uint16_t>("a block's values"));
  ASSIGN_OR_RETURN(const uint16_t second, reader.Number<uint16_t>("a block's values"));
  ASSIGN_OR_RETURN(const absl::string_view bits, reader.Bytes((block.size() + 7) / 8, "a block's bits"));
  for (size_t i = 0; i < block.size(); ++i)
    block[i] = (static_cast<uint8_t>(bits[i / 8]) >> (i % 8) & 1) != 0 ? second : first;
  return absl::OkStatus();
}

absl::Status ReadEightBit(ByteReader& reader, absl::Span<uint16_t> block) {
  ASSIGN_OR_RETURN(const uint8_t exponent, reader.Number<uint8_t>("a block's exponent"));
  ASSIGN_OR_RETURN(const absl::string_view elements, reader.Bytes(block.size(), "a block's elements"));
  const float scale = std::ldexp(1.0f, exponent - kExponentBias);
  for (size_t i = 0; i < block.size(); ++i)
    block[i] = ToBfloat16(static_cast<float>(static_cast<int8_t>(elements[i])) * scale);
  return absl::OkStatus();
}

absl::Status ReadSparse(ByteReader& reader, absl::Span<uint16_t> block) {
  ASSIGN_OR_RETURN(const uint16_t count, reader.Number<uint16_t>("a block's offset count"));
  ASSIGN_OR_RETURN(const absl::string_view offsets,
                   reader.Bytes(sizeof(uint16_t) * count, "a block's offsets"));
  ASSIGN_OR_RETURN(const absl::string_view values,
                   reader.Bytes(sizeof(uint16_t) * count, "a block's values"));
  std::fill(block.begin(), block.end(), 0);
  int last = -1;
  for (size_t i = 0; i < count; ++i) {
    uint16_t offset;
    std::memcpy(&offset, &offsets[sizeof(offset) * i], sizeof(offset));
    if (offset <= last || offset >= block.size()) {
      return reader.Error(
          absl::StrCat("an offset of ", offset, ", want one from ", last + 1, " to ", block.size() - 1));
    }
    std::memcpy(&block[offset], &values[sizeof(uint16_t) * i], sizeof(uint16_t));
    last = offset;
  }
  return absl::OkStatus();
}

absl::Status ReadBlock(ByteReader& reader, absl::Span<uint16_t> block) {
  ASSIGN_OR_RETURN(const uint8_t form, reader.Number<uint8_t>("a block's form"));
  if (form == kTwoValues) return ReadTwoValues(reader, block);
  if (form == kEightBit) return ReadEightBit(reader, block);
  if (form == kSparse) return ReadSparse(reader, block);
  if (form != kPlain) return reader.Error(absl::StrCat("a block of form ", form, ", want 0 to 3"));
  ASSIGN_OR_RETURN(const absl::string_view elements,
                   reader.Bytes(block.size() * sizeof(uint16_t), "a block's elements"));
  std::memcpy(block.data(), elements.data(), elements.size());
  return absl::OkStatus();
}

}  // namespace

std::string PackGradient(int64_t begin, absl::Span<const uint16_t> values) {
  std::string packed;
  packed.reserve(values.size() + values.size() / 64 + sizeof(uint32_t));
  const auto count = static_cast<uint32_t>(values.size());
  Append(&count, 1, &packed);
  const int64_t end = begin + count;
  for (int64_t key = begin, block_end; key < end; key = block_end) {
    block_end = GradientBlockEnd(key, end);
    AppendBlock(values.subspan(key - begin, block_end - key), &packed);
  }
  return packed;
}

absl::StatusOr<absl::Span<const uint16_t>> UnpackGradient(int64_t begin, absl::string_view packed,
                                                          absl::Span<uint16_t> buffer) {
  ByteReader reader(packed, absl::StatusCode::kInvalidArgument, "packed gradient");
  ASSIGN_OR_RETURN(const uint32_t count, reader.Number<uint32_t>("element count"));
  if (count > buffer.size())
    return reader.Error(absl::StrCat(count, " elements, want at most ", buffer.size()));
  // Checked so that no block ends beyond the largest key that an int64_t can hold.
  if (begin < 0 || begin > std::numeric_limits<int64_t>::max() - kGradientBlockElements - int64_t{count})
    return reader.Error(absl::StrCat(count, " elements from key ", begin, ", want keys from 0 to 2^63"));
  const int64_t end = begin + count;
  for (int64_t key = begin, block_end; key < end; key = block_end) {
    block_end = GradientBlockEnd(key, end);
    RETURN_IF_ERROR(ReadBlock(reader, buffer.subspan(key - begin, block_end - key)));
  }
  if (reader.left() > 0) return reader.Error(absl::StrCat(reader.left(), " bytes left, want none"));
  return buffer.first(count);
}

}  // namespace downpour
