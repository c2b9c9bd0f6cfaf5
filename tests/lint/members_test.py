# SPDX-License-Identifier: LGPL-2.1-or-later
"""What members.py says of checkouts that are made here."""
import unittest

import members
from made_checkout import CheckTest

SOURCE = """
#include <map>
struct Forward;
namespace elf {
/** int comment; */
class Outer : public Base<int, int> {
 public:
  enum class Kind { One, Two };
  enum { A, B } kind = A;
  using Callback = std::function<void(int, int)>;
  Outer() = default;
  explicit Outer(int a) : Base{a}, a_{a}, b_(a) { int local = 0; }
  Outer(Options options = {}, int more = 3);
  ~Outer();
  int a() const { return a_; }
  virtual void pure() = 0;
  bool operator()(int x) const { return x < a_; }
  bool operator==(const Outer& other) const { return a_ == other.a_; }
  static constexpr int kNumber = 3;

 private:
  struct Inner {
    int x = 0, y = 0;
    std::map<int, std::vector<std::string>> table{};
    double (*function)(int) = nullptr;
  };
  template <typename T>
  T convert(T t) {
    return t;
  }
  friend class Other;
  int a_ ELF_GUARDED_BY(mutex_) = 0;
  int b_{3};
  std::function<void(int)> call_;
  char text_[10] = "; int no;";
  struct {
    int unnamed;
  } held_;
};
}  // namespace elf
int main() {
  struct Local {
    int one;
  };
  return 0;
}
"""


class Members(CheckTest):
    program = "members.py"

    def test_members_are_counted(self):
        self.assertEqual(members.classes(SOURCE), {"Outer": 6, "Outer::Inner": 4, "Local": 1})

    def test_a_large_class_is_named(self):
        many = "".join(f"int a{i};" for i in range(21))
        self.fails({"lib/a.h": f"class Large {{ {many} }};"}, "lib/a.h:Large: 21, more than 20")
        self.passes({"lib/a.h": f"class Large {{ {many} }};",
                     "tests/lint/known.txt": "members lib/a.h:Large 21"})
        self.passes({"lib/a.h": f"struct Options {{ {many} }};"})


if __name__ == "__main__":
    unittest.main()
