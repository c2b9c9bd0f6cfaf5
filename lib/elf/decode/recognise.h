// SPDX-License-Identifier: LGPL-2.1-or-later
// What a network is, from what its file says and from what it gives. Not installed.
#pragma once

#include "elf/decode/network_info.h"
#include "elf/decode/tensors.h"
#include "elf/geometry/box.h"
#include "elf/model/model_file.h"

namespace elf {

/**
 * `model` with what its network's file says and the `.model` file leaves open: the size of
 * pictures or what it is a multiple of, labels, task and joints, and that bytes are not scaled. Of
 * a network that only looks at the boxes of a detector nothing is taken.
 */
ModelFile withInfo(ModelFile model, const NetworkInfo& info);

/**
 * The decoder of what the network made of a canvas of that size: by names, shapes and whole
 * numbers, by the metadata of Ultralytics, and where those do not tell, by the values. Throws
 * elf::Error naming `path` where no layout fits, or where several do and nothing decides; the
 * sentence then names them and `[output] decoder`.
 */
OutputDecoder recogniseDecoder(const std::string& path, const ModelFile& model,
                               const NetworkInfo& info, const Tensors& outputs, Size canvas);

/** Whether objects have masks in what a network of this decoder gives. */
bool tellsMasks(OutputDecoder decoder, const Tensors& outputs);

/**
 * `model` with the decoder of these outputs and, where nothing says its task, with masks if they
 * tell some. Throws elf::Error also where a `.model` file says a task that they have nothing for.
 */
ModelFile recognise(const std::string& path, ModelFile model, const NetworkInfo& info,
                    const Tensors& outputs, Size canvas);

/** "yolov8-seg, 640x640, rgb, scale 1/255, centred, 80 labels": what a model was taken for. */
std::string describe(const ModelFile& model);

}  // namespace elf
