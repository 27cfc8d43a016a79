// What a loop keeps of its steps: rows of numbers of some neurons.
#pragma once

#include <algorithm>
#include <cstring>
#include <vector>

namespace {

// Like a buffer of XLA.
struct Buffer {
  void* data;
  const int64_t* dims;
};

// A row of a buffer of rows.
template <typename B>
Buffer row_of(const B& b) {
  return {b.data, b.dims + 1};
}

struct Kept {
  int group = 0;
  const char* source = nullptr;      // the numbers of all neurons; null: whether they spiked, as 0 or 1
  int64_t bytes = 1;                 // of a number
  const int32_t* neurons = nullptr;  // null: `count` neurons from `first` on
  int64_t first = 0, count = 0;
  int64_t every = 1;
  char* rows = nullptr;
};

inline void set_one(char* row, int64_t i, int64_t bytes) {
  if (bytes == 1) {
    row[i] = 1;
  } else if (bytes == 4) {
    reinterpret_cast<float*>(row)[i] = 1;
  } else {
    reinterpret_cast<double*>(row)[i] = 1;
  }
}

// Writes those rows' numbers that belong to neurons [from, to) of the group, which one thread owns.
class Keeper {
 public:
  Keeper(const Kept& kept, int64_t from, int64_t to) : k_(kept), from_(from), to_(to) {
    if (k_.neurons != nullptr) {
      for (int64_t i = 0; i < k_.count; ++i) {
        if (k_.neurons[i] >= from && k_.neurons[i] < to) mine_.push_back({i, k_.neurons[i]});
      }
      if (k_.source == nullptr && !mine_.empty()) spiked_.resize(to - from);
    }
  }

  // After step `at` since the first, in which `list` has spiked.
  void keep(int64_t at, const List& list) {
    if ((at + 1) % k_.every != 0) return;
    char* row = k_.rows + at / k_.every * k_.count * k_.bytes;
    if (k_.neurons == nullptr) {
      const int64_t a = std::max<int64_t>(from_ - k_.first, 0), b = std::min(to_ - k_.first, k_.count);
      if (a >= b) return;
      if (k_.source != nullptr) {
        std::memcpy(row + a * k_.bytes, k_.source + (k_.first + a) * k_.bytes, (b - a) * k_.bytes);
        return;
      }
      std::memset(row + a * k_.bytes, 0, (b - a) * k_.bytes);
      for (int64_t i = 0; i < list.count; ++i) {
        const int64_t j = list.neurons[i] - k_.first;
        if (j >= a && j < b) set_one(row, j, k_.bytes);
      }
    } else if (k_.source != nullptr) {
      if (k_.bytes == 1) {
        choose<uint8_t>(row);
      } else if (k_.bytes == 2) {
        choose<uint16_t>(row);
      } else if (k_.bytes == 4) {
        choose<uint32_t>(row);
      } else {
        choose<uint64_t>(row);
      }
    } else if (!mine_.empty()) {
      for (int64_t i = 0; i < list.count; ++i) spiked_[list.neurons[i] - from_] = 1;
      for (const Place& p : mine_) {
        std::memset(row + p.at * k_.bytes, 0, k_.bytes);
        if (spiked_[p.neuron - from_]) set_one(row, p.at, k_.bytes);
      }
      for (int64_t i = 0; i < list.count; ++i) spiked_[list.neurons[i] - from_] = 0;
    }
  }

 private:
  struct Place {
    int64_t at, neuron;
  };

  template <typename U>
  void choose(char* row) const {
    for (const Place& p : mine_) std::memcpy(row + p.at * sizeof(U), k_.source + p.neuron * sizeof(U), sizeof(U));
  }

  const Kept k_;
  const int64_t from_, to_;
  std::vector<Place> mine_;
  std::vector<uint8_t> spiked_;
};

}  // namespace
