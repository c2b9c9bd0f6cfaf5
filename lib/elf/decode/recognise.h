// SPDX-License-Identifier: LGPL-2.1-or-later
// Recognises a network by its file and its outputs. Not installed.
#pragma once

#include "elf/decode/network_info.h"
#include "elf/decode/tensors.h"
#include "elf/geometry/box.h"
#include "elf/model/model_file.h"

namespace elf {

/**
 * `model`, completed from its network's file where the `.model` file leaves it open: the size of
 * pictures or its multiple, labels, task and joints, and that bytes are not scaled. A network that
 * runs on a detector's boxes changes nothing.
 */
ModelFile withInfo(ModelFile model, const NetworkInfo& info);

/**
 * The decoder for a network's outputs on a canvas of that size: by names, shapes and integer types,
 * by Ultralytics' metadata, and if those do not decide, by the values. Throws elf::Error naming
 * `path` if no layout fits, or if several do and nothing decides. The sentence then names them and
 * `[output] decoder`.
 */
OutputDecoder recogniseDecoder(const std::string& path, const ModelFile& model,
                               const NetworkInfo& info, const Tensors& outputs, Size canvas);

/** Whether a network's outputs for this decoder have masks. */
bool tellsMasks(OutputDecoder decoder, const Tensors& outputs);

/**
 * `model` with the decoder for these outputs. If nothing states its task, it gets masks if they
 * have some. Also throws elf::Error if a `.model` file states a task that they do not serve.
 */
ModelFile recognise(const std::string& path, ModelFile model, const NetworkInfo& info,
                    const Tensors& outputs, Size canvas);

/** How a model was recognised: "yolov8-seg, 640x640, rgb, scale 1/255, centred, 80 labels". */
std::string describe(const ModelFile& model);

}  // namespace elf
