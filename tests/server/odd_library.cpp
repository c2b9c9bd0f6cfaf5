// SPDX-License-Identifier: LGPL-2.1-or-later
// Libraries that are no good as models, each compiled with a -D of its own.
#include <unistd.h>

#include <cstdlib>

#include "elf/server/model_library.h"

namespace {

class Odd : public elf::InferenceModel {
 public:
  explicit Odd(const elf::ModelFile& file) : InferenceModel(described(file)) {
#ifdef ODD_THROWS
    throw std::runtime_error("out of luck");
#endif
#ifdef ODD_ABORTS
    std::abort();
#endif
#ifdef ODD_HANGS
    for (;;) pause();
#endif
  }
  std::string platform() const override {
    return "odd";
  }
  elf::Result<std::vector<elf::Detection>> run(const elf::ImageView& bgr,
                                               const elf::Placement&) override {
    if (bgr.size.width == 13) throw std::runtime_error("an unlucky width");
    const auto far = static_cast<float>(bgr.size.width + 100);
    return std::vector<elf::Detection>{{.box = {0, 0, far, 8}, .score = 1}};
  }

 private:
  static elf::ModelFile described(elf::ModelFile file) {
#ifdef ODD_RULES
    file.rules.multipleOf = -1;
#endif
    return file;
  }
};

}  // namespace

#if defined(ODD_ABI)
extern "C" const elf::ModelLibrary elf_model_library;
const elf::ModelLibrary elf_model_library = {ODD_ABI, nullptr};
#elif !defined(ODD_ENTRY)
ELF_MODEL_LIBRARY(Odd)
#endif
