// Where on the data's way: packs each block of a gradient in the shortest of four forms, and unpacks it.
#include "common/wire/gradient_packing.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "common/status_macros.h"
#include "common/tensor/bfloat16.h"
#include "common/tensor/simd_clones.h"
#include "common/wire/byte_reader.h"

namespace downpour {
namespace {

using Block = absl::Span<const uint16_t>;

enum Form : uint8_t { kPlain = 0, kTwoValues = 1, kEightBit = 2, kSparse = 3 };

constexpr size_t kTwoValuesBytes = 5;  // without the bits
constexpr size_t kEightBitBytes = 2;   // without the elements
constexpr size_t kSparseBytes = 3;     // without offsets and values
constexpr size_t kMostBlockBytes = 1 + 2 * kGradientBlockElements;
constexpr int kExponentBias = 127;

// The loops below run over one block each. Their counters have the width of what they read, so that as many
// elements as possible fit into a vector.
DOWNPOUR_SIMD_CLONES
uint16_t CountNonzeros(const uint16_t* values, size_t n) {
  uint16_t count = 0;
  for (size_t i = 0; i < n; ++i) count += values[i] != 0;
  return count;
}

DOWNPOUR_SIMD_CLONES
uint16_t CountOthers(const uint16_t* values, size_t n, uint16_t first, uint16_t second) {
  uint16_t count = 0;
  for (size_t i = 0; i < n; ++i) count += (values[i] != first) & (values[i] != second);
  return count;
}

// What an eight-bit block must know of its elements.
struct Magnitudes {
  int32_t lowest;     // all elements are multiples of 2^lowest, if none is irregular
  int32_t largest;    // bfloat16
  int32_t irregular;  // 1 if any element is -0, denormal or not finite, else 0
};

DOWNPOUR_SIMD_CLONES
void Measure(const uint16_t* values, size_t n, Magnitudes* all) {
  int32_t lowest = kExponentBias, largest = 0, irregular = 0;
  for (size_t i = 0; i < n; ++i) {
    const int32_t magnitude = values[i] & 0x7fff;
    const int32_t exponent = magnitude >> 7;
    const int32_t significand = 0x80 | (magnitude & 0x7f);  // times 2^(exponent - bias - 7)
    // The number of zeros that the significand ends in, as the exponent of its lowest bit as a float.
    const auto lowest_bit = static_cast<float>(significand & -significand);
    const int32_t zeros = (std::bit_cast<int32_t>(lowest_bit) >> 23) - kExponentBias;
    // 0 is a multiple of everything. Without branches, so that the loop is made of vectors.
    const int32_t multiple_of = exponent - kExponentBias - 7 + zeros + 2 * kExponentBias * (magnitude == 0);
    irregular |= (exponent == 255) | ((exponent == 0) & (values[i] != 0));
    lowest = std::min(lowest, multiple_of);
    largest = std::max(largest, magnitude);
  }
  *all = {lowest, largest, irregular};
}

DOWNPOUR_SIMD_CLONES
void ToEightBits(const uint16_t* __restrict values, size_t n, float scale, int8_t* __restrict packed) {
  int32_t wide[kGradientBlockElements];
  for (size_t i = 0; i < n; ++i) wide[i] = static_cast<int32_t>(FromBfloat16(values[i]) * scale);
  for (size_t i = 0; i < n; ++i) packed[i] = static_cast<int8_t>(wide[i]);
}

DOWNPOUR_SIMD_CLONES
void FromEightBits(const int8_t* __restrict packed, size_t n, float scale, uint16_t* __restrict values) {
  uint32_t wide[kGradientBlockElements];
  for (size_t i = 0; i < n; ++i) wide[i] = RoundToUpperHalf(static_cast<float>(packed[i]) * scale) >> 16;
  for (size_t i = 0; i < n; ++i) values[i] = static_cast<uint16_t>(wide[i]);
}

DOWNPOUR_SIMD_CLONES
void MarkDifferent(const uint16_t* __restrict values, size_t n, uint16_t value, uint8_t* __restrict marks) {
  for (size_t i = 0; i < n; ++i) marks[i] = values[i] != value;
}

// One bit an element, lowest bit first: 1 where it is not `value`. Bits beyond the block's end are 0.
struct Bits {
  Bits(Block block, uint16_t value) {
    uint8_t marks[kGradientBlockElements + 7];
    MarkDifferent(block.data(), block.size(), value, marks);
    std::fill(marks + block.size(), marks + block.size() + 7, 0);
    for (size_t i = 0; i < block.size(); i += 8) {
      uint64_t eight;
      std::memcpy(&eight, marks + i, sizeof(eight));
      // Moves the lowest bit of byte j to bit 56 + j.
      bytes[i / 8] = static_cast<uint8_t>(eight * 0x0102040810204080 >> 56);
    }
  }
  uint8_t bytes[kGradientBlockElements / 8] = {};
};

// For each byte, eight elements: all bits set where the byte's bit is, else none.
struct Masks {
  constexpr Masks() {
    for (int byte = 0; byte < 256; ++byte)
      for (int bit = 0; bit < 8; ++bit) of[byte][bit] = (byte >> bit & 1) != 0 ? 0xffff : 0;
  }
  uint16_t of[256][8] = {};
};
constexpr Masks kMasks;

// Writes to memory that has room for it.
class Writer {
 public:
  explicit Writer(char* begin) : begin_(begin), next_(begin) {}

  template <typename T>
  void Put(T value) {
    PutAll(&value, 1);
  }
  template <typename T>
  void PutAll(const T* values, size_t count) {
    std::memcpy(next_, values, count * sizeof(T));
    next_ += count * sizeof(T);
  }
  // The place of `bytes` bytes, which the caller writes.
  char* Skip(size_t bytes) { return std::exchange(next_, next_ + bytes); }
  size_t size() const { return next_ - begin_; }

 private:
  char* const begin_;
  char* next_;
};

// The second value of a block that has two, the first of one that has one; none if there are more values.
std::optional<uint16_t> SecondOfTwo(Block block) {
  const uint16_t first = block[0];
  const auto other =
      std::find_if(block.begin(), block.end(), [first](uint16_t value) { return value != first; });
  const uint16_t second = other == block.end() ? first : *other;
  return CountOthers(block.data(), block.size(), first, second) == 0 ? std::optional(second) : std::nullopt;
}

// The exponent of a power of two of which all elements are multiples, -127 to 127; none if there is none.
std::optional<int> CommonExponent(Block block) {
  Magnitudes all;
  Measure(block.data(), block.size(), &all);
  const bool fits = all.irregular == 0 && all.lowest >= 1 - kExponentBias &&
                    std::ldexp(FromBfloat16(static_cast<uint16_t>(all.largest)), -all.lowest) <= 127;
  return fits ? std::optional(all.lowest) : std::nullopt;
}

void WriteTwoValues(Block block, uint16_t second, Writer* packed) {
  packed->Put(kTwoValues);
  packed->Put(block[0]);
  packed->Put(second);
  packed->PutAll(Bits(block, block[0]).bytes, (block.size() + 7) / 8);
}

void WriteEightBit(Block block, int exponent, Writer* packed) {
  packed->Put(kEightBit);
  packed->Put(static_cast<uint8_t>(exponent + kExponentBias));
  ToEightBits(block.data(), block.size(), std::ldexp(1.0f, -exponent),
              reinterpret_cast<int8_t*>(packed->Skip(block.size())));
}

void WriteSparse(Block block, uint16_t nonzeros, Writer* packed) {
  packed->Put(kSparse);
  packed->Put(nonzeros);
  char* offsets = packed->Skip(sizeof(uint16_t) * nonzeros);
  char* values = packed->Skip(sizeof(uint16_t) * nonzeros);
  const Bits bits(block, 0);
  for (size_t byte = 0; byte < (block.size() + 7) / 8; ++byte) {
    for (unsigned left = bits.bytes[byte]; left != 0; left &= left - 1) {
      const auto offset = static_cast<uint16_t>(8 * byte + std::countr_zero(left));
      std::memcpy(offsets, &offset, sizeof(offset));
      std::memcpy(values, &block[offset], sizeof(uint16_t));
      offsets += sizeof(offset);
      values += sizeof(uint16_t);
    }
  }
}

void WriteBlock(Block block, Writer* packed) {
  const uint16_t nonzeros = CountNonzeros(block.data(), block.size());
  const size_t sparse = kSparseBytes + 4 * size_t{nonzeros};
  const size_t two_values = kTwoValuesBytes + (block.size() + 7) / 8;
  if (two_values <= sparse) {
    if (const std::optional<uint16_t> second = SecondOfTwo(block))
      return WriteTwoValues(block, *second, packed);
  }
  if (kEightBitBytes + block.size() <= sparse) {
    if (const std::optional<int> exponent = CommonExponent(block))
      return WriteEightBit(block, *exponent, packed);
  }
  if (sparse <= 1 + 2 * block.size()) return WriteSparse(block, nonzeros, packed);
  packed->Put(kPlain);
  packed->PutAll(block.data(), block.size());
}

absl::Status ReadTwoValues(ByteReader& reader, absl::Span<uint16_t> block) {
  ASSIGN_OR_RETURN(const uint16_t first, reader.Number<uint16_t>("a block's values"));
  ASSIGN_OR_RETURN(const uint16_t second, reader.Number<uint16_t>("a block's values"));
  ASSIGN_OR_RETURN(const absl::string_view bits, reader.Bytes((block.size() + 7) / 8, "a block's bits"));
  const auto difference = static_cast<uint16_t>(first ^ second);
  for (size_t i = 0; i < block.size(); i += 8) {
    uint16_t eight[8];
    for (size_t j = 0; j < 8; ++j)
      eight[j] = first ^ (kMasks.of[static_cast<uint8_t>(bits[i / 8])][j] & difference);
    std::copy_n(eight, std::min<size_t>(8, block.size() - i), block.begin() + i);
  }
  return absl::OkStatus();
}

absl::Status ReadEightBit(ByteReader& reader, absl::Span<uint16_t> block) {
  ASSIGN_OR_RETURN(const uint8_t exponent, reader.Number<uint8_t>("a block's exponent"));
  ASSIGN_OR_RETURN(const absl::string_view elements, reader.Bytes(block.size(), "a block's elements"));
  FromEightBits(reinterpret_cast<const int8_t*>(elements.data()), block.size(),
                std::ldexp(1.0f, exponent - kExponentBias), block.data());
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
  packed.append(reinterpret_cast<const char*>(&count), sizeof(count));
  const int64_t end = begin + count;
  for (int64_t key = begin, block_end; key < end; key = block_end) {
    block_end = GradientBlockEnd(key, end);
    char block[kMostBlockBytes];
    Writer writer(block);
    WriteBlock(values.subspan(key - begin, block_end - key), &writer);
    packed.append(block, writer.size());
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
