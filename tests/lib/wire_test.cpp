// SPDX-License-Identifier: LGPL-2.1-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <limits>
#include <random>

#include "elf/base/half.h"
#include "elf/model/tensor_names.h"
#include "elf/wire/detections.h"
#include "elf/wire/infer.h"
#include "elf/wire/metadata.h"
#include "elf/wire/tensor_bytes.h"

namespace elf::wire {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Body = std::vector<std::uint8_t>;

Body bytesOf(std::string_view text) {
  return {text.begin(), text.end()};
}

/** A body of JSON and what follows it, parsed with the header that belongs to it. */
Result<InferRequest> parseJson(const std::string& json, const Body& rest = {}) {
  Body body = bytesOf(json);
  body.insert(body.end(), rest.begin(), rest.end());
  return parseRequest(body, json.size());
}

std::string withInput(const std::string& fields) {
  return R"({"inputs":[{"name":"image",)" + fields + "}]}";
}

Body element(const std::string& content) {
  return encodedImage(bytesOf(content)).data;
}

Detection detection(Box box, float score, std::int64_t label) {
  Detection d;
  d.box = box;
  d.score = score;
  d.labelId = label;
  return d;
}

InferResponse responseWith(std::span<const Detection> detections) {
  return {.model = "hog", .outputs = encodeDetections(detections)};
}

Result<std::vector<Detection>> decode(const InferResponse& response) {
  return decodeDetections(response, {.labels = {"person"}}, {100, 100});
}

TEST(Wire, ARequestComesBackAsItWas) {
  InferRequest request;
  request.id = "frame-7";
  request.parameters = {{"timeout", std::int64_t{2000000}}, {"urgent", true}, {"who", "me"}};
  request.parameters["scale"] = 0.5;
  request.inputs.push_back(encodedImage(bytesOf("a picture")));
  request.inputs.push_back(
      {.name = "hint", .type = DataType::Int16, .shape = {2}, .data = {1, 0, 255, 255}});
  request.inputs[1].binary = false;
  request.outputs = {{"boxes", true}, {"scores", false}};
  request.binaryOutputs = true;
  const Message message = encode(request);
  const auto parsed = parseRequest(message.body, message.jsonLength);
  ASSERT_TRUE(parsed) << parsed.error();
  EXPECT_EQ(parsed.value().id, "frame-7");
  EXPECT_EQ(parsed.value().parameters, request.parameters);
  ASSERT_EQ(parsed.value().inputs.size(), 2U);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(parsed.value().inputs[i].name, request.inputs[i].name);
    EXPECT_EQ(parsed.value().inputs[i].type, request.inputs[i].type);
    EXPECT_EQ(parsed.value().inputs[i].shape, request.inputs[i].shape);
    EXPECT_EQ(parsed.value().inputs[i].data, request.inputs[i].data);
    EXPECT_EQ(parsed.value().inputs[i].binary, request.inputs[i].binary);
  }
  ASSERT_EQ(parsed.value().outputs.size(), 2U);
  EXPECT_TRUE(parsed.value().outputs[0].binary);
  EXPECT_FALSE(parsed.value().outputs[1].binary);
  EXPECT_TRUE(parsed.value().binaryOutputs);
}

class DetectionsOnTheWire : public testing::TestWithParam<bool> {};

TEST_P(DetectionsOnTheWire, ComeBackAsTheyWere) {
  const std::vector<Detection> sent{detection({1.25F, 2, 30, 40.5F}, 0.75F, 0),
                                    detection({0, 0, 100, 100}, 3.5F, 12)};
  InferResponse response = responseWith(sent);
  response.id = "7";
  response.parameters["infer_us"] = std::int64_t{1234};
  for (Tensor& output : response.outputs) output.binary = GetParam();
  const Message message = encode(response);
  EXPECT_EQ(message.jsonLength.has_value(), GetParam());
  const auto parsed = parseResponse(message.body, message.jsonLength);
  ASSERT_TRUE(parsed) << parsed.error();
  EXPECT_EQ(parsed.value().id, "7");
  EXPECT_EQ(parsed.value().parameters, response.parameters);
  const auto decoded = decode(parsed.value());
  ASSERT_TRUE(decoded) << decoded.error();
  ASSERT_EQ(decoded.value().size(), 2U);
  EXPECT_EQ(decoded.value()[0].box, sent[0].box);
  EXPECT_EQ(decoded.value()[0].label, "person");
  EXPECT_EQ(decoded.value()[1].labelId, 12);
  EXPECT_EQ(decoded.value()[1].label, "");
  EXPECT_EQ(decoded.value()[1].score, 3.5F);
}

TEST_P(DetectionsOnTheWire, MayBeNone) {
  InferResponse response = responseWith({});
  for (Tensor& output : response.outputs) output.binary = GetParam();
  const Message message = encode(response);
  const auto parsed = parseResponse(message.body, message.jsonLength);
  ASSERT_TRUE(parsed) << parsed.error();
  const auto decoded = decode(parsed.value());
  ASSERT_TRUE(decoded) << decoded.error();
  EXPECT_TRUE(decoded.value().empty());
}

INSTANTIATE_TEST_SUITE_P(BinaryOrJson, DetectionsOnTheWire, testing::Bool());

class EachType : public testing::TestWithParam<bool> {};

TEST_P(EachType, ComesBack) {
  const std::vector<std::pair<DataType, Body>> values{
      {DataType::Bool, {0, 1}},
      {DataType::Uint8, {0, 255}},
      {DataType::Int8, {128, 127}},
      {DataType::Uint16, {255, 255, 0, 0}},
      {DataType::Int16, {0, 128, 255, 127}},
      {DataType::Uint32, {255, 255, 255, 255, 0, 0, 0, 0}},
      {DataType::Int32, {0, 0, 0, 128, 1, 0, 0, 0}},
      {DataType::Uint64, Body(16, 255)},
      {DataType::Int64, {0, 0, 0, 0, 0, 0, 0, 128, 255, 255, 255, 255, 255, 255, 255, 127}},
      {DataType::Fp32, {0, 0, 192, 63, 0, 0, 0, 0}},
      {DataType::Fp64, {0, 0, 0, 0, 0, 0, 248, 63, 0, 0, 0, 0, 0, 0, 0, 0}},
      {DataType::Bytes, {2, 0, 0, 0, 'a', 'b', 0, 0, 0, 0}},
      {DataType::Fp16, {0, 60, 1, 128}},
      {DataType::Bf16, {128, 63, 1, 0}}};
  for (const auto& [type, data] : values) {
    InferRequest request;
    request.inputs.push_back(
        {.name = "x", .type = type, .shape = {2}, .data = data, .binary = GetParam()});
    const Message message = encode(request);
    const auto parsed = parseRequest(message.body, message.jsonLength);
    ASSERT_TRUE(parsed) << toString(type) << ": " << parsed.error();
    EXPECT_EQ(parsed.value().inputs[0].type, type);
    EXPECT_EQ(parsed.value().inputs[0].data, data) << toString(type);
    EXPECT_EQ(parsed.value().inputs[0].binary, GetParam());
  }
}

INSTANTIATE_TEST_SUITE_P(BinaryOrJson, EachType, testing::Bool());

TEST(Wire, NumbersInJsonAreExactAndShort) {
  const auto textOf = []<typename T>(DataType type, const std::vector<T>& values) {
    Tensor tensor{.name = "x", .type = type, .shape = {static_cast<std::int64_t>(values.size())}};
    tensor.data.resize(values.size() * sizeof(T));
    std::memcpy(tensor.data.data(), values.data(), tensor.data.size());
    const auto encoded = encode(std::make_shared<const Tensor>(std::move(tensor)), false);
    const std::string text(encoded.json->begin(), encoded.json->end());
    return text.substr(0, text.find(']') + 1);
  };
  constexpr float kMost = std::numeric_limits<float>::max(), kLeast = 1.17549435e-38F;
  EXPECT_EQ(textOf(DataType::Fp32, std::vector{0.1F, -1.5F, 3.0F, -kMost, -kLeast}),
            R"({"data":[0.1,-1.5,3,-3.4028235e+38,-1.1754944e-38])");
  EXPECT_EQ(textOf(DataType::Fp64, std::vector{-2.2250738585072014e-308}),
            R"({"data":[-2.2250738585072014e-308])");
  EXPECT_EQ(textOf(DataType::Fp32, std::vector{INFINITY, NAN}), R"({"data":[null,null])");
  EXPECT_EQ(textOf(DataType::Int64, std::vector{std::numeric_limits<std::int64_t>::min()}),
            R"({"data":[-9223372036854775808])");
  EXPECT_EQ(textOf(DataType::Uint64, std::vector{std::numeric_limits<std::uint64_t>::max()}),
            R"({"data":[18446744073709551615])");
  EXPECT_EQ(textOf(DataType::Uint8, std::vector<std::uint8_t>{0, 255, 7}), R"({"data":[0,255,7])");
  EXPECT_EQ(textOf(DataType::Int8, std::vector<std::int8_t>{-128}), R"({"data":[-128])");
  EXPECT_EQ(textOf(DataType::Uint8, std::vector<std::uint8_t>{}), R"({"data":[])");
}

TEST(Wire, JsonDataMayBeFlatOrNested) {
  for (const char* data : {"[1,2,3,4,5,6]", "[[1,2,3],[4,5,6]]"}) {
    const std::string json =
        withInput(R"("datatype":"UINT8","shape":[2,3],"data":)" + std::string(data));
    const auto parsed = parseRequest(bytesOf(json), std::nullopt);
    ASSERT_TRUE(parsed) << parsed.error();
    EXPECT_EQ(parsed.value().inputs[0].data, (Body{1, 2, 3, 4, 5, 6}));
    EXPECT_FALSE(parsed.value().inputs[0].binary);
  }
}

TEST(Wire, BytesSizesMayCountTheLengthPrefixesOrNot) {
  Body rest = element("one");
  const Body second = element("three");
  rest.insert(rest.end(), second.begin(), second.end());
  for (const char* size : {"16", "8"}) {
    const auto parsed =
        parseJson(withInput(R"("datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":)" +
                            std::string(size) + "}"),
                  rest);
    ASSERT_TRUE(parsed) << parsed.error();
    EXPECT_EQ(parsed.value().inputs[0].data, rest);
  }
}

TEST(Wire, ASingleInputOfBytesMayLeaveOutItsSize) {
  const std::string json = withInput(R"("datatype":"BYTES","shape":[1])");
  const auto prefixed = parseJson(json, element("picture"));
  ASSERT_TRUE(prefixed) << prefixed.error();
  EXPECT_EQ(prefixed.value().inputs[0].data, element("picture"));
  const auto bare = parseJson(json, bytesOf("picture"));
  ASSERT_TRUE(bare) << bare.error();
  EXPECT_EQ(bare.value().inputs[0].data, element("picture"));
}

TEST(Wire, AHeaderOfZeroMakesTheBodyTheOnlyInput) {
  const auto parsed = parseRequest(bytesOf("\xff\xd8 picture"), 0);
  ASSERT_TRUE(parsed) << parsed.error();
  ASSERT_EQ(parsed.value().inputs.size(), 1U);
  EXPECT_EQ(parsed.value().inputs[0].name, "");
  EXPECT_EQ(parsed.value().inputs[0].data, bytesOf("\xff\xd8 picture"));
  EXPECT_TRUE(parsed.value().binaryOutputs);
}

TEST(Wire, TheBinaryFlagOfAnOutputWinsOverTheOneOfTheRequest) {
  const auto parsed = parseJson(
      R"({"parameters":{"binary_data_output":true},"outputs":[{"name":"boxes"},
          {"name":"scores","parameters":{"binary_data":false}}],
          "inputs":[{"name":"x","datatype":"BOOL","shape":[1],"data":[true]}]})");
  ASSERT_TRUE(parsed) << parsed.error();
  EXPECT_TRUE(parsed.value().outputs[0].binary);
  EXPECT_FALSE(parsed.value().outputs[1].binary);
  EXPECT_TRUE(parsed.value().parameters.empty());
}

struct BadRequest {
  const char* name;
  std::string json;
  std::size_t restSize;
  const char* field;
};

class BadRequests : public testing::TestWithParam<BadRequest> {};

TEST_P(BadRequests, AreRefusedNamingTheField) {
  const auto parsed = parseJson(GetParam().json, Body(GetParam().restSize));
  ASSERT_FALSE(parsed);
  EXPECT_THAT(parsed.error(), StartsWith(GetParam().field));
}

std::string fp32(const std::string& shape, const std::string& size) {
  return withInput(R"("datatype":"FP32","shape":)" + shape +
                   R"(,"parameters":{"binary_data_size":)" + size + "}");
}

std::string bytes(const std::string& shape, const std::string& size) {
  return withInput(R"("datatype":"BYTES","shape":)" + shape +
                   R"(,"parameters":{"binary_data_size":)" + size + "}");
}

std::string data(const std::string& type, const std::string& shape, const std::string& values) {
  return withInput(R"("datatype":")" + type + R"(","shape":)" + shape + R"(,"data":)" + values);
}

constexpr const char* kSizeField = "inputs[0].parameters.binary_data_size";

INSTANTIATE_TEST_SUITE_P(
    Of, BadRequests,
    testing::ValuesIn(std::vector<BadRequest>{
        {"NoJson", "what?", 0, "body"},
        {"NoObject", "[]", 0, "body"},
        {"CutJson", R"({"inputs":[)", 0, "body"},
        {"NotUtf8", "{\"inputs\":\"\xff\"}", 0, "body"},
        {"NoInputs", "{}", 0, "inputs"},
        {"EmptyInputs", R"({"inputs":[]})", 0, "inputs"},
        {"InputsNoArray", R"({"inputs":7})", 0, "inputs"},
        {"InputNoObject", R"({"inputs":[7]})", 0, "inputs[0]"},
        {"NoName", R"({"inputs":[{"datatype":"FP32","shape":[1],"data":[1]}]})", 0,
         "inputs[0].name"},
        {"IdNoString", R"({"id":7,"inputs":[]})", 0, "id"},
        {"ParametersNoObject", R"({"parameters":7,"inputs":[]})", 0, "parameters"},
        {"ParameterNested", R"({"parameters":{"a":[1]},"inputs":[]})", 0, "parameters.a"},
        {"FlagNoBool", R"({"parameters":{"binary_data_output":1},"inputs":[]})", 0,
         "parameters.binary_data_output"},
        {"UnknownType", data("FP31", "[1]", "[1]"), 0, "inputs[0].datatype"},
        {"NegativeShape", fp32("[-1]", "4"), 4, "inputs[0].shape"},
        {"FractionalShape", fp32("[1.5]", "4"), 4, "inputs[0].shape"},
        {"ShapeBeyondInt64", fp32("[18446744073709551615]", "4"), 4, "inputs[0].shape"},
        {"ProductOverflow", fp32("[4294967296,4294967296,2]", "0"), 0, "inputs[0].shape"},
        {"ByteCountOverflow", fp32("[4611686018427387904]", "0"), 0, "inputs[0].shape"},
        {"HugeRank", fp32("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]", "4"), 4, "inputs[0].shape"},
        {"SizeAgainstShape", fp32("[2]", "4"), 4, kSizeField},
        {"SizeBeyondBody", fp32("[2]", "8"), 4, kSizeField},
        {"NegativeSize", fp32("[1]", "-4"), 4, kSizeField},
        {"SizeNoNumber", fp32("[1]", "true"), 4, kSizeField},
        {"BodyTooLong", fp32("[1]", "4"), 5, "body"},
        {"BytesTooFew", bytes("[2]", "4"), 4, kSizeField},
        {"BytesHugeCount", bytes("[9007199254740992]", "4"), 4, kSizeField},
        {"BytesSizeAgainstLengths", bytes("[1]", "9"), 4, kSizeField},
        {"NoSizeForNumbers", withInput(R"("datatype":"FP32","shape":[1])"), 4, "inputs[0].data"},
        {"DataAndSize",
         withInput(
             R"("datatype":"FP32","shape":[1],"data":[1],"parameters":{"binary_data_size":4})"),
         4, "inputs[0].data"},
        {"DataTooShort", data("FP32", "[2]", "[1]"), 0, "inputs[0].data"},
        {"DataHugeCount", data("FP32", "[9007199254740992]", "[1]"), 0, "inputs[0].data"},
        {"DataNestedWrongly", data("FP32", "[2,2]", "[[1,2,3],[4]]"), 0, "inputs[0].data"},
        {"DataTooDeep", data("FP32", "[1,1]", "[[[1]]]"), 0, "inputs[0].data"},
        {"DataNoArray", data("FP32", "[1]", "1"), 0, "inputs[0].data"},
        {"NumberOutOfRange", data("UINT8", "[1]", "[256]"), 0, "inputs[0].data"},
        {"FractionForInteger", data("INT32", "[1]", "[1.5]"), 0, "inputs[0].data"},
        {"TextForNumber", data("FP32", "[1]", R"(["1"])"), 0, "inputs[0].data"},
        {"TooLargeForFloat", data("FP32", "[1]", "[1e300]"), 0, "inputs[0].data"},
        {"NumberForBool", data("BOOL", "[1]", "[1]"), 0, "inputs[0].data"},
        {"NumberForBytes", data("BYTES", "[1]", "[1]"), 0, "inputs[0].data"},
        {"SameNameTwice",
         R"({"inputs":[{"name":"x","datatype":"BOOL","shape":[0],"data":[]},
                       {"name":"x","datatype":"BOOL","shape":[0],"data":[]}]})",
         0, "inputs[1].name"}}),
    [](const auto& instance) { return instance.param.name; });

TEST(Wire, AHeaderBeyondTheBodyIsRefused) {
  const auto parsed = parseRequest(bytesOf("{}"), 3);
  ASSERT_FALSE(parsed);
  EXPECT_THAT(parsed.error(), StartsWith("Inference-Header-Content-Length"));
}

TEST(Wire, BinaryDataWithoutTheHeaderIsRefused) {
  const auto parsed = parseRequest(bytesOf(fp32("[1]", "4")), std::nullopt);
  ASSERT_FALSE(parsed);
  EXPECT_THAT(parsed.error(), HasSubstr("Inference-Header-Content-Length"));
}

TEST(Wire, EmptyBinaryTensorsNeedNoHeader) {
  const std::string outputs =
      R"({"outputs":[{"name":"boxes","datatype":"FP32","shape":[0,4],"parameters":{"binary_data_size":0}}]})";
  const auto parsed = parseResponse(bytesOf(outputs), std::nullopt);
  ASSERT_TRUE(parsed) << parsed.error();
  EXPECT_TRUE(parsed.value().outputs[0].data.empty());
  std::string lying = outputs;
  lying.replace(lying.find("[0,4]"), 5, "[1,4]");
  EXPECT_FALSE(parseResponse(bytesOf(lying), std::nullopt));
}

TEST(Wire, TheJsonOfARequestHasABoundedNumberOfValues) {
  const auto pixels = [](int width, int height) {
    std::string numbers = "0";
    for (int i = 1; i < width * height * 3; ++i) numbers += ",0";
    return R"({"inputs":[{"name":"image","datatype":"UINT8","shape":[1,)" + std::to_string(height) +
           "," + std::to_string(width) + R"(,3],"data":[)" + numbers + "]}]}";
  };
  EXPECT_TRUE(parseRequest(bytesOf(pixels(640, 480)), std::nullopt));
  std::string small = "[]";
  for (std::size_t i = 0; i < kMostValues; ++i) small += ",[]";
  for (const std::string& text : {pixels(800, 600), "{\"inputs\":[" + small + "]}"}) {
    const auto parsed = parseRequest(bytesOf(text), std::nullopt);
    ASSERT_FALSE(parsed);
    EXPECT_THAT(parsed.error(), HasSubstr("more than 1048576 values"));
  }
  // Commas in strings part nothing.
  const std::string name(2 * kMostValues, ',');
  const auto parsed = parseRequest(bytesOf("{\"id\":\"" + name + "\"}"), std::nullopt);
  EXPECT_THAT(parsed.error(), ::testing::Not(HasSubstr("values")));
}

TEST(Wire, SoHasTheJsonOfAnAnswerAndOfMetadata) {
  std::string small = "[]";
  for (std::size_t i = 0; i < kMostValues; ++i) small += ",[]";
  const auto response = parseResponse(bytesOf("{\"outputs\":[" + small + "]}"), std::nullopt);
  ASSERT_FALSE(response);
  EXPECT_THAT(response.error(), HasSubstr("body: has more than 1048576 values"));
  const auto metadata = parseMetadata(bytesOf("{\"inputs\":[" + small + "]}"));
  ASSERT_FALSE(metadata);
  EXPECT_THAT(metadata.error(), HasSubstr("metadata: has more than 1048576 values"));
  EXPECT_TRUE(takesBinary(bytesOf("{\"extensions\":[" + small + "]}"))) << "as if it said nothing";
}

TEST(Wire, RawOutputsMayBeMoreWhereTheyAreNumbers) {
  const auto response = [](const std::string& value, std::size_t count) {
    std::string values = value;
    for (std::size_t i = 1; i < count; ++i) values += "," + value;
    return bytesOf(R"({"outputs":[{"name":"x","datatype":"FP32","shape":[)" +
                   std::to_string(count) + R"(],"data":[)" + values + "]}]}");
  };
  const Body many = response("7", kMostValues);
  EXPECT_FALSE(parseResponse(many, std::nullopt));
  EXPECT_TRUE(parseResponse(many, std::nullopt, kMostNumbers));
  const auto tooMany = parseResponse(response("7", kMostNumbers), std::nullopt, kMostNumbers);
  ASSERT_FALSE(tooMany);
  EXPECT_THAT(tooMany.error(), HasSubstr("more than 4194304 values"));
  for (const char* heavy : {"[]", R"("")"}) {
    const auto refused = parseResponse(response(heavy, kMostValues), std::nullopt, kMostNumbers);
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error(), HasSubstr("more than 1048576 values"));
  }
}

TEST(Wire, DeeplyNestedJsonIsRefusedBeforeItIsParsed) {
  const std::string open(100000, '[');
  for (const std::string& text : {open, data("FP32", "[1]", open + std::string(100000, ']'))}) {
    const auto parsed = parseRequest(bytesOf(text), std::nullopt);
    ASSERT_FALSE(parsed);
    EXPECT_THAT(parsed.error(), HasSubstr("nests too deep"));
  }
  EXPECT_FALSE(parseMetadata(bytesOf(open)));
  // Brackets in strings open nothing.
  const std::string name = "\\\"" + open;
  const auto parsed =
      parseResponse(bytesOf(R"({"model_name":")" + name + R"(","outputs":[]})"), std::nullopt);
  ASSERT_TRUE(parsed) << parsed.error();
  EXPECT_EQ(parsed.value().model, "\"" + open);
}

TEST(Wire, WhatAServerSaysIsShortAndPlainInAnError) {
  const auto parsed = parseRequest(bytesOf(R"({"inputs":[{"name":"image","datatype":"\u001b[31m)" +
                                           std::string(5000, 'x') + R"(","shape":[0,4]}]})"),
                                   std::nullopt);
  ASSERT_FALSE(parsed);
  EXPECT_LE(parsed.error().size(), 200U);
  EXPECT_EQ(parsed.error().find('\x1b'), std::string::npos);
}

TEST(Wire, LabelsThatAreHugeOrHoldControlCharactersAreRefused) {
  for (const std::string& label : {std::string(1000, 'x'), std::string("red\\u001b[31m")}) {
    const auto parsed = parseMetadata(
        bytesOf(R"({"name":"m","parameters":{"labels":["person",")" + label + R"("]}})"));
    ASSERT_FALSE(parsed);
    EXPECT_THAT(parsed.error(), StartsWith("parameters.labels"));
  }
}

/** Two people with masks and two joints each. */
std::vector<Detection> withMasksAndJoints() {
  std::vector<Detection> sent{detection({1.5F, 2, 4, 4}, 0.5F, 0),
                              detection({10, 10, 12, 11}, 1, 0)};
  sent[0].mask = Mask({1, 2, 3, 2}, {0, 1, 1, 1, 0, 0});
  sent[1].mask = Mask({10, 10, 2, 1}, {1, 1});
  sent[0].keypoints = {{2, 3, 0.5F}, {3, 3, 0}};
  sent[1].keypoints = {{11, 10, 1}, {11, 10.5F, 0.25F}};
  return sent;
}
const ModelRules kMasksAndJoints{.masks = true, .keypoints = 2};

/** `sent` are the same on the other side of an answer, be it binary or JSON. */
void expectBack(const std::vector<Detection>& sent, const ModelRules& rules) {
  for (const bool binary : {true, false}) {
    SCOPED_TRACE(binary ? "binary" : "JSON");
    InferResponse response{.model = "m", .outputs = encodeDetections(sent, rules)};
    for (Tensor& output : response.outputs) output.binary = binary;
    const Message message = encode(response);
    const auto parsed = parseResponse(message.body, message.jsonLength);
    ASSERT_TRUE(parsed) << parsed.error();
    const auto decoded = decodeDetections(parsed.value(), rules, {100, 100});
    ASSERT_TRUE(decoded) << decoded.error();
    EXPECT_EQ(decoded.value(), sent);
  }
}

TEST(Wire, MasksAndKeypointsComeBackAsTheyWere) {
  expectBack(withMasksAndJoints(), kMasksAndJoints);
}

TEST(Wire, WhatOthersCallMasksAndKeypointsIsNotRead) {
  InferResponse response{.model = "m",
                         .outputs = encodeDetections(withMasksAndJoints(), kMasksAndJoints)};
  response.outputs[3].type = DataType::Fp32;
  response.outputs[4].shape = {2, 6};
  const auto decoded = decodeDetections(response, {}, {100, 100});
  ASSERT_TRUE(decoded) << decoded.error();
  EXPECT_FALSE(decoded.value().at(0).mask);
  EXPECT_TRUE(decoded.value().at(0).keypoints.empty());
}

/** The same values in another type. */
template <typename T, typename Convert>
Tensor retyped(const Tensor& from, DataType type, Convert convert) {
  Tensor to{.name = from.name, .type = type, .shape = from.shape};
  for (std::size_t at = 0; at < from.data.size(); at += elementSize(from.type)) {
    const double value = from.type == DataType::Fp32
                             ? static_cast<double>(load<float>(from.data.data() + at))
                             : static_cast<double>(load<std::int64_t>(from.data.data() + at));
    append(to.data, static_cast<T>(convert(value)));
  }
  return to;
}

TEST(Wire, NumbersMayHaveAnyTypeThatHoldsThem) {
  const std::vector<Detection> sent{detection({1, 2, 40, 50}, 1, 3), detection({5, 6, 7, 9}, 2, 0)};
  const auto same = [](double value) { return value; };
  const auto half = [](double value) { return floatToHalf(static_cast<float>(value)); };
  const auto bfloat = [](double value) { return floatToBfloat(static_cast<float>(value)); };
  const auto outputs = encodeDetections(sent);
  for (const bool binary : {true, false})
    for (const auto& retype : {
             std::function(
                 [&](const Tensor& t) { return retyped<double>(t, DataType::Fp64, same); }),
             std::function(
                 [&](const Tensor& t) { return retyped<std::uint16_t>(t, DataType::Fp16, half); }),
             std::function([&](const Tensor& t) {
               return retyped<std::uint16_t>(t, DataType::Bf16, bfloat);
             }),
             std::function(
                 [&](const Tensor& t) { return retyped<std::int32_t>(t, DataType::Int32, same); }),
             std::function(
                 [&](const Tensor& t) { return retyped<std::uint8_t>(t, DataType::Uint8, same); }),
         }) {
      InferResponse response{.model = "m", .outputs = outputs};
      for (const int i : {0, 1}) response.outputs[i] = retype(outputs[i]);
      const Tensor labels = retype(outputs[2]);
      const bool whole = labels.type == DataType::Int32 || labels.type == DataType::Uint8;
      if (whole) response.outputs[2] = labels;
      for (Tensor& output : response.outputs) output.binary = binary;
      const Message message = encode(response);
      const auto parsed = parseResponse(message.body, message.jsonLength);
      ASSERT_TRUE(parsed) << parsed.error();
      const auto decoded = decodeDetections(parsed.value(), {}, {100, 100});
      ASSERT_TRUE(decoded) << decoded.error();
      EXPECT_EQ(decoded.value(), sent) << toString(labels.type);
      if (whole) continue;
      response.outputs[2] = labels;
      EXPECT_THAT(decodeDetections(response, {}, {100, 100}).error(),
                  StartsWith("labels: has datatype"));
    }
}

TEST(Wire, ALabelBeyondInt64IsRefused) {
  InferResponse response = responseWith(std::vector{detection({1, 2, 40, 50}, 1, 0)});
  response.outputs[2].type = DataType::Uint64;
  EXPECT_TRUE(decode(response)) << "it fits";
  response.outputs[2].data.assign(8, 0xFF);
  EXPECT_EQ(decode(response).error(), "labels: holds a number above 2^63 - 1");
}

TEST(Wire, AnOutputOfAnUnknownTypeMattersOnlyIfItIsRead) {
  const auto metadata =
      parseMetadata(bytesOf(R"({"outputs":[{"name":"boxes","datatype":"FP32","shape":[-1,4]},
                             {"name":"extra","datatype":"FP8","shape":[-1]}]})"));
  ASSERT_TRUE(metadata) << metadata.error();
  EXPECT_EQ(metadata.value().outputs.at(1).type, DataType::Unknown);
  const std::string outputs =
      R"("outputs":[{"name":"extra","datatype":"FP8","shape":[3],)"
      R"("parameters":{"binary_data_size":3}},)"
      R"({"name":"more","datatype":"FP8","shape":[2],"data":["x",1]},)"
      R"({"name":"boxes","datatype":"FP32","shape":[1,4],"data":[1,2,3,4]},)"
      R"({"name":"scores","datatype":"FP32","shape":[1],"data":[1]},)"
      R"({"name":"labels","datatype":"INT64","shape":[1],"data":[0]}])";
  const std::string json = "{" + outputs + "}";
  const auto parsed = parseResponse(bytesOf(json + "abc"), json.size());
  ASSERT_TRUE(parsed) << parsed.error();
  const auto decoded = decode(parsed.value());
  ASSERT_TRUE(decoded) << decoded.error();
  EXPECT_EQ(decoded.value().size(), 1U);
  EXPECT_EQ(decodeDetections(parsed.value(), {}, {100, 100}, {.boxes = "extra"}).error(),
            "extra: has datatype unknown (numbers, such as FP32)");
  EXPECT_FALSE(parseResponse(bytesOf(json + "ab"), json.size())) << "a byte is missing";
}

TEST(Wire, ABatchOfOneIsAccepted) {
  const std::vector<Detection> sent = withMasksAndJoints();
  InferResponse response{.model = "m", .outputs = encodeDetections(sent, kMasksAndJoints)};
  for (Tensor& output : response.outputs) output.shape.insert(output.shape.begin(), 1);
  const auto decoded = decodeDetections(response, kMasksAndJoints, {100, 100});
  ASSERT_TRUE(decoded) << decoded.error();
  EXPECT_EQ(decoded.value(), sent);
  for (Tensor& output : response.outputs) output.shape.insert(output.shape.begin(), 1);
  EXPECT_FALSE(decodeDetections(response, kMasksAndJoints, {100, 100})) << "two are too many";
}

TEST(Wire, NoElementsAreNoDetectionsWhateverTheShape) {
  using Shape = std::vector<std::int64_t>;
  for (const Shape& boxes : {Shape{0}, Shape{0, 4}, Shape{0, 0}, Shape{1, 0, 4}, Shape{1, 0}})
    for (const Shape& others : {Shape{0}, Shape{1, 0}, Shape{0, 1}, Shape{0, 0}}) {
      InferResponse response = responseWith({});
      response.outputs[0].shape = boxes;
      response.outputs[1].shape = response.outputs[2].shape = others;
      const auto decoded = decode(response);
      ASSERT_TRUE(decoded) << decoded.error();
      EXPECT_TRUE(decoded.value().empty());
    }
  InferResponse response = responseWith(std::vector{detection({1, 2, 40, 50}, 1, 0)});
  response.outputs[0] = {.name = "boxes", .shape = {0, 4}};
  EXPECT_THAT(decode(response).error(), StartsWith("scores")) << "of one that is not there";
}

TEST(Wire, MasksAndKeypointsMayBeMissing) {
  InferResponse response{.model = "m", .outputs = encodeDetections(withMasksAndJoints())};
  EXPECT_TRUE(decodeDetections(response, kMasksAndJoints, {100, 100}));
}

TEST(Wire, AnOutputIsAskedForOnce) {
  const auto parsed = parseRequest(
      bytesOf(R"({"inputs":[{"name":"image","datatype":"UINT8","shape":[1],"data":[1]}],
                  "outputs":[{"name":"masks"},{"name":"masks"}]})"),
      std::nullopt);
  ASSERT_FALSE(parsed);
  EXPECT_THAT(parsed.error(), StartsWith("outputs[1].name"));
}

/** Two ships, one of which reaches out of the picture. */
std::vector<Detection> withRotatedBoxes() {
  std::vector<Detection> sent{detection({30, 40, 60, 58}, 0.5F, 0),
                              detection({0, 10, 12, 22}, 1, 0)};
  sent[0].rotated = {45, 49, 30, 8, 0.5F};
  sent[1].rotated = {-1, 16, 26, 6, -1.25F};
  return sent;
}
const ModelRules kRotated{.rotated = true};

TEST(Wire, RotatedBoxesComeBackAsTheyWere) {
  const std::vector<Tensor> outputs = encodeDetections(withRotatedBoxes(), kRotated);
  ASSERT_EQ(outputs.size(), 4U);
  EXPECT_EQ(outputs[3].shape, (std::vector<std::int64_t>{2, 5}));
  expectBack(withRotatedBoxes(), kRotated);
}

TEST(Wire, RotatedBoxesMayBeMissingHaveAnotherNameOrBeNoneOfTheModels) {
  InferResponse response{.model = "m", .outputs = encodeDetections(withRotatedBoxes(), kRotated)};
  response.outputs[3].name = "turned";
  auto decoded = decodeDetections(response, kRotated, {100, 100});
  ASSERT_TRUE(decoded) << decoded.error();
  EXPECT_FALSE(decoded.value().at(0).rotated);
  decoded = decodeDetections(response, kRotated, {100, 100}, {.rotated = "turned"});
  ASSERT_TRUE(decoded) << decoded.error();
  EXPECT_EQ(decoded.value(), withRotatedBoxes());
  // What others call so is not read.
  response.outputs[3] = {.name = "rotated", .type = DataType::Bytes, .shape = {7}};
  decoded = decodeDetections(response, {}, {100, 100});
  ASSERT_TRUE(decoded) << decoded.error();
  EXPECT_FALSE(decoded.value().at(0).rotated);
}

TEST(Wire, OneWithoutARotatedBoxHasItsUprightOne) {
  const std::vector<Detection> sent{detection({30, 40, 60, 58}, 0.5F, 0)};
  const auto decoded = decodeDetections({.model = "m", .outputs = encodeDetections(sent, kRotated)},
                                        kRotated, {100, 100});
  ASSERT_TRUE(decoded) << decoded.error();
  EXPECT_EQ(decoded.value().at(0).rotated, (RotatedBox{45, 49, 30, 18, 0}));
}

TEST(Wire, RotatedBoxesThatCanBeNowhereAreRefused) {
  const auto errorAfter = [](const auto& change) {
    InferResponse response{.model = "m", .outputs = encodeDetections(withRotatedBoxes(), kRotated)};
    change(response.outputs[3]);
    const auto decoded = decodeDetections(response, kRotated, {100, 100});
    return decoded ? std::string() : decoded.error();
  };
  EXPECT_EQ(errorAfter([](Tensor&) {}), "");
  EXPECT_THAT(errorAfter([](Tensor& t) { t.shape = {5, 2}; }), StartsWith("rotated"));
  EXPECT_THAT(errorAfter([](Tensor& t) { t.shape = {1, 5}; }), StartsWith("rotated"));
  EXPECT_THAT(errorAfter([](Tensor& t) { t.type = DataType::Int32; }), StartsWith("rotated"));
  EXPECT_THAT(errorAfter([](Tensor& t) { t.data.resize(36); }), StartsWith("rotated"));
  for (std::size_t number = 0; number < 5; ++number)
    for (const float wrong : {std::nanf(""), std::numeric_limits<float>::infinity(), 3e38F, 0.0F}) {
      const bool fits = wrong == 0 ? number < 2 || number == 4 : wrong == 3e38F && number == 4;
      const std::string error = errorAfter([&](Tensor& t) {
        std::memcpy(t.data.data() + number * sizeof(float), &wrong, sizeof(float));
      });
      EXPECT_THAT(error, StartsWith(fits ? "" : "rotated")) << number << " " << wrong;
      EXPECT_EQ(error.empty(), fits) << number << " " << wrong;
    }
}

TEST(Wire, OfNoDetectionsThereAreNoMasksAndKeypoints) {
  const InferResponse response{.model = "m", .outputs = encodeDetections({}, kMasksAndJoints)};
  ASSERT_EQ(response.outputs.size(), 5U);
  EXPECT_EQ(response.outputs[4].shape, (std::vector<std::int64_t>{0, 2, 3}));
  const auto decoded = decodeDetections(response, kMasksAndJoints, {100, 100});
  ASSERT_TRUE(decoded) << decoded.error();
  EXPECT_TRUE(decoded.value().empty());
}

TEST(Wire, MasksAndKeypointsThatFitNoBoxAreRefused) {
  const auto errorAfter = [](const auto& change) {
    InferResponse response{.model = "m",
                           .outputs = encodeDetections(withMasksAndJoints(), kMasksAndJoints)};
    change(response.outputs);
    const auto decoded = decodeDetections(response, kMasksAndJoints, {100, 100});
    return decoded ? std::string() : decoded.error();
  };
  const auto asBox = [](Tensor& boxes, std::vector<float> numbers) {
    std::memcpy(boxes.data.data(), numbers.data(), numbers.size() * sizeof(float));
  };
  EXPECT_EQ(errorAfter([](auto&) {}), "");
  EXPECT_THAT(errorAfter([](auto& outputs) { outputs[3].data.back() = 3; }), StartsWith("masks"));
  EXPECT_THAT(errorAfter([](auto& outputs) { outputs[3].shape = {1}; }), StartsWith("masks"));
  EXPECT_THAT(errorAfter([](auto& outputs) { outputs[3].type = DataType::Uint8; }),
              StartsWith("masks"));
  EXPECT_THAT(errorAfter([&](auto& outputs) {
                asBox(outputs[0], {1, 1, 1e9F, 1e9F});
              }),
              StartsWith("masks"));
  EXPECT_THAT(errorAfter([](auto& outputs) {
                outputs[4].shape = {2, 3, 2};
              }),
              StartsWith("keypoints"));
  for (const float nowhere : {std::nanf(""), 3e38F})
    EXPECT_THAT(errorAfter([&](auto& outputs) { asBox(outputs[4], {nowhere}); }),
                StartsWith("keypoints"));
}

TEST(Wire, MasksOfMorePixelsThanMemoryIsThereForAreRefused) {
  // A few bytes may stand for very many pixels.
  constexpr float kSide = 8000;
  std::vector<Detection> sent(2, detection({0, 0, kSide, kSide}, 1, 0));
  InferResponse response{.model = "m", .outputs = encodeDetections(sent)};
  const std::vector<std::uint8_t> run{0x80, 0x90, 0xC2, 0x1E};  // 8000 * 8000
  Tensor masks{.name = "masks", .type = DataType::Bytes, .shape = {2}};
  for (int i = 0; i < 2; ++i) {
    masks.data.insert(masks.data.end(), {4, 0, 0, 0});
    masks.data.insert(masks.data.end(), run.begin(), run.end());
  }
  response.outputs.push_back(masks);
  EXPECT_THAT(decodeDetections(response, kMasksAndJoints, {8000, 8000}).error(),
              StartsWith("masks"));
}

TEST(Wire, JointsAndBonesThatNoModelHasAreRefused) {
  for (const char* parameters :
       {R"({"keypoints":257})", R"({"keypoints":-1})", R"({"masks":1})",
        R"({"keypoints":2,"skeleton":3})", R"({"keypoints":2,"skeleton":[[0,1,1]]})",
        R"({"keypoints":2,"skeleton":[[0,2]]})", R"({"keypoints":2,"skeleton":[[-1,0]]})",
        R"({"keypoints":1,"skeleton":[[0,0],[0,0],[0,0]]})"}) {
    const auto metadata =
        parseMetadata(bytesOf(R"({"name":"m","parameters":)" + std::string(parameters) + "}"));
    ASSERT_FALSE(metadata) << parameters;
    EXPECT_THAT(metadata.error(), StartsWith("parameters.")) << parameters;
  }
}

TEST(Wire, WhatAServerTakesIsTheDatatypeOfItsInputAndRawWhereItSaysSoBesides) {
  struct Case {
    const char* metadata;
    bool raw, encoded;
  };
  for (const auto& [metadata, raw, encoded] :
       {Case{R"({"inputs":[{"name":"image","datatype":"BYTES","shape":[1]}]})", false, true},
        Case{R"({"inputs":[{"name":"image","datatype":"UINT8","shape":[1,-1,-1,3]}]})", true,
             false},
        Case{R"({"inputs":[{"name":"other","datatype":"UINT8","shape":[1]},
                           {"name":"image","datatype":"BYTES","shape":[1]}],
                 "parameters":{"raw":true}})",
             true, true},
        Case{R"({"inputs":[{"name":"image","datatype":"FP32","shape":[1,3,-1,-1]}]})", false, true},
        Case{"{}", false, true}}) {
    const auto parsed = parseMetadata(bytesOf(metadata));
    ASSERT_TRUE(parsed) << parsed.error();
    EXPECT_EQ(parsed.value().takesRaw, raw) << metadata;
    EXPECT_EQ(parsed.value().takesEncoded, encoded) << metadata;
    EXPECT_EQ(parseMetadata(bytesOf(encodeMetadata(parsed.value()))).value(), parsed.value());
  }
}

TEST(Wire, AForeignServersNestedParametersAreIgnored) {
  const auto parsed = parseResponse(
      bytesOf(R"({"model_name":"m","parameters":{"a":{"b":1},"infer_us":5},"outputs":[]})"),
      std::nullopt);
  ASSERT_TRUE(parsed) << parsed.error();
  EXPECT_EQ(parsed.value().parameters, (Parameters{{"infer_us", std::int64_t{5}}}));
}

TEST(Wire, DetectionsAreClippedAndEmptyOnesLeftOut) {
  const std::vector<Detection> sent{detection({-10, 90, 50, 200}, 1, 0),
                                    detection({120, 0, 130, 10}, 1, 0),
                                    detection({20, 20, 10, 30}, 1, 0)};
  const auto decoded = decode(responseWith(sent));
  ASSERT_TRUE(decoded) << decoded.error();
  ASSERT_EQ(decoded.value().size(), 1U);
  EXPECT_EQ(decoded.value()[0].box, (Box{0, 90, 50, 100}));
}

TEST(Wire, LabelsMayBeOfHalfTheWidth) {
  InferResponse response = responseWith(std::vector<Detection>{detection({0, 0, 9, 9}, 1, 0)});
  response.outputs[2].type = DataType::Int32;
  response.outputs[2].data = {0, 0, 0, 0};
  EXPECT_TRUE(decode(response));
}

TEST(Wire, ScoresAndLabelsMayBeColumns) {
  InferResponse response = responseWith(std::vector{detection({1, 2, 3, 4}, 0.5F, 0)});
  response.outputs[1].shape = response.outputs[2].shape = {1, 1};
  EXPECT_TRUE(decode(response));
  response.outputs[1].shape = {1, 2};
  EXPECT_THAT(decode(response).error(), StartsWith("scores"));
}

TEST(Wire, OutputsThatLieAreRefusedByName) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const InferResponse good = responseWith(std::vector<Detection>{detection({0, 0, 9, 9}, 1, 0)});
  const auto errorOf = [](const InferResponse& response) {
    const auto decoded = decode(response);
    return decoded ? std::string() : decoded.error();
  };
  InferResponse bad = good;
  bad.outputs.pop_back();
  EXPECT_THAT(errorOf(bad), HasSubstr("labels"));
  bad = good;
  bad.outputs[0].shape = {2, 2};
  EXPECT_THAT(errorOf(bad), StartsWith("boxes"));
  bad = good;
  bad.outputs[0].data.pop_back();
  EXPECT_THAT(errorOf(bad), StartsWith("boxes"));
  bad = good;
  bad.outputs[1].shape = {2};
  bad.outputs[1].data.resize(8);
  EXPECT_THAT(errorOf(bad), StartsWith("scores"));
  bad = good;
  bad.outputs[2].type = DataType::Fp64;
  EXPECT_THAT(errorOf(bad), StartsWith("labels"));
  EXPECT_THAT(errorOf(responseWith(std::vector<Detection>{detection({0, 0, nan, 9}, 1, 0)})),
              StartsWith("boxes"));
  EXPECT_THAT(errorOf(responseWith(std::vector<Detection>{
                  detection({0, 0, 9, std::numeric_limits<float>::infinity()}, 1, 0)})),
              StartsWith("boxes"));
  EXPECT_THAT(errorOf(responseWith(std::vector<Detection>{detection({0, 0, 9, 9}, nan, 0)})),
              StartsWith("scores"));
  EXPECT_THAT(errorOf(responseWith(std::vector<Detection>(kMaxDetections + 1))),
              StartsWith("boxes"));
}

TEST(Wire, TextThatIsNoUtf8IsStillWrittenAsJson) {
  InferResponse response = responseWith({});
  response.id = "\xff";
  const Message message = encode(response);
  EXPECT_TRUE(parseResponse(message.body, message.jsonLength));
}

TEST(Wire, BytesThatAreNoTextComeBackFromJsonAsBase64) {
  const Body picture = {0xFF, 0xD8, 0x00, 0xFE};
  InferRequest request;
  request.inputs.push_back(encodedImage(picture));
  request.inputs[0].binary = false;
  const Message message = encode(request);
  EXPECT_FALSE(message.jsonLength);
  const std::string text(message.body.begin(), message.body.end());
  EXPECT_THAT(text, HasSubstr(R"("data":["/9gA/g=="])"));
  EXPECT_THAT(text, HasSubstr(R"("parameters":{"content_type":"base64"})"));
  const auto parsed = parseRequest(message.body, message.jsonLength);
  ASSERT_TRUE(parsed) << parsed.error();
  EXPECT_EQ(parsed.value().inputs[0].data, request.inputs[0].data);
}

TEST(Wire, ARequestHasTheseBytes) {
  const Body pixels = {0, 9, 10, 99, 100, 255};
  InferRequest request;
  request.id = "an \"inputs\":[";
  request.parameters["timeout"] = std::int64_t{5};
  request.inputs.push_back(rawImage(pixels, {2, 1}));
  const std::string front =
      R"({"id":"an \"inputs\":[","inputs":[{"datatype":"UINT8","name":"image",)"
      R"("parameters":{"binary_data_size":6},"shape":[1,1,2,3]}],"parameters":{"timeout":5}})";
  Message message = encode(request);
  EXPECT_EQ(message.jsonLength, front.size());
  EXPECT_EQ(std::string(message.body.begin(), message.body.end()),
            front + std::string(pixels.begin(), pixels.end()));

  request.inputs[0].binary = false;
  request.inputs.push_back(
      {.name = "n", .type = DataType::Uint8, .shape = {0}, .data = {}, .binary = false});
  request.binaryOutputs = true;
  request.outputs.push_back({.name = "boxes"});
  message = encode(request);
  EXPECT_FALSE(message.jsonLength);
  EXPECT_EQ(std::string(message.body.begin(), message.body.end()),
            R"({"id":"an \"inputs\":[","inputs":[{"data":[0,9,10,99,100,255],"datatype":"UINT8",)"
            R"("name":"image","shape":[1,1,2,3]},{"data":[],"datatype":"UINT8","name":"n",)"
            R"("shape":[0]}],"outputs":[{"name":"boxes","parameters":{"binary_data":false}}],)"
            R"("parameters":{"binary_data_output":true,"timeout":5}})");
}

TEST(Wire, ATensorIsEncodedOnceForSeveralRequests) {
  const auto picture = std::make_shared<const Tensor>(rawImage(Body(30, 7), {5, 2}));
  for (const bool binary : {true, false}) {
    const EncodedTensor encoded = encode(picture, binary);
    InferRequest request;
    request.inputs.push_back(*picture);
    request.inputs[0].binary = binary;
    for (const char* id : {"0", "1"}) {
      request.id = id;
      const SharedMessage shared = encode(request, {&encoded, 1});
      const Message whole = encode(request);
      EXPECT_EQ(joined(shared.body), whole.body);
      EXPECT_EQ(shared.jsonLength, whole.jsonLength);
      EXPECT_NE(std::ranges::find(shared.body, encoded.json), shared.body.end());
    }
    if (binary) {
      EXPECT_EQ(encoded.data->data(), picture->data.data());
    }
  }
}

TEST(Wire, BytesThatAreTextStayTextInJson) {
  InferRequest request;
  request.inputs.push_back(encodedImage(bytesOf("a picture")));
  request.inputs[0].binary = false;
  const Message message = encode(request);
  const std::string text(message.body.begin(), message.body.end());
  EXPECT_THAT(text, HasSubstr(R"("data":["a picture"])"));
  EXPECT_THAT(text, Not(HasSubstr("base64")));
}

TEST(Wire, WhatIsNoBase64IsRefusedWhereItIsSaidToBe) {
  for (const char* data : {"/9g", "/9gA/g=*", "\\u0000\\u0000\\u0000\\u0000"}) {
    const std::string json =
        withInput(R"("datatype":"BYTES","shape":[1],"data":[")" + std::string(data) +
                  R"("],"parameters":{"content_type":"base64"})");
    const auto parsed = parseRequest(bytesOf(json), std::nullopt);
    ASSERT_FALSE(parsed) << data;
    EXPECT_THAT(parsed.error(), StartsWith("inputs[0].data"));
  }
}

TEST(Wire, AServerTakesBinaryTensorsUnlessItsExtensionsLackThem) {
  EXPECT_TRUE(takesBinary(bytesOf(R"({"name":"a","extensions":["x","binary_tensor_data"]})")));
  EXPECT_FALSE(takesBinary(bytesOf(R"({"name":"a","extensions":["model_repository_extension"]})")));
  EXPECT_FALSE(takesBinary(bytesOf(R"({"name":"a","extensions":[]})")));
  for (const char* silent : {R"({"name":"a"})", R"({"extensions":null})", R"({"extensions":3})", "",
                             R"({"extensions":)"})
    EXPECT_TRUE(takesBinary(bytesOf(silent))) << silent;
  EXPECT_TRUE(mayTakeBinaryNumbers(bytesOf(R"({"name":"kserve","extensions":[]})")));
  for (const char* other : {R"({"name":"mlserver","extensions":[]})", "{}", R"({"name":1})", ""})
    EXPECT_FALSE(mayTakeBinaryNumbers(bytesOf(other))) << other;
}

TEST(Wire, MembersThatAreNullAreAbsent) {
  const auto metadata =
      parseMetadata(bytesOf(R"({"name":"m","versions":null,"inputs":null,"parameters":null})"));
  EXPECT_TRUE(metadata) << metadata.error();
  const auto response = parseResponse(
      bytesOf(R"({"model_name":"m","model_version":null,"id":null,"parameters":null,"outputs":[
                 {"name":"scores","datatype":"FP32","shape":[1],"parameters":null,"data":[1]}]})"),
      std::nullopt);
  ASSERT_TRUE(response) << response.error();
  EXPECT_EQ(response.value().outputs[0].data.size(), sizeof(float));
}

TEST(Wire, DetectionsAreReadFromOutputsOfOtherNames) {
  const std::vector<Detection> sent{detection({1, 2, 3, 4}, 0.5F, 0)};
  InferResponse response = responseWith(sent);
  response.outputs[0].name = "dets";
  response.outputs[2].name = "classes";
  const TensorNames names{.boxes = "dets", .labels = "classes"};
  const auto decoded = decodeDetections(response, {}, {100, 100}, names);
  ASSERT_TRUE(decoded) << decoded.error();
  EXPECT_EQ(decoded.value().at(0).box, sent[0].box);
  response.outputs.pop_back();
  EXPECT_THAT(decodeDetections(response, {}, {100, 100}, names).error(), HasSubstr("classes"));
}

TEST(Wire, WhatAServerTakesIsTheDatatypeOfTheInputOfThatName) {
  const auto body =
      bytesOf(R"({"inputs":[{"name":"pixels","datatype":"UINT8","shape":[1,-1,-1,3]}]})");
  EXPECT_TRUE(parseMetadata(body, "pixels").value().takesRaw);
  EXPECT_FALSE(parseMetadata(body).value().takesRaw);
}

TEST(TensorNames, ChangeWhereTheListGivesThem) {
  EXPECT_EQ(withTensorNames("", {.scores = "s"}), (TensorNames{.scores = "s"}));
  EXPECT_EQ(withTensorNames("image=input_1,boxes=a=b", {.boxes = "x", .scores = "s"}),
            (TensorNames{.image = "input_1", .boxes = "a=b", .scores = "s"}));
}

TEST(TensorNames, ThatAreNoneAreRefused) {
  for (const char* list :
       {"image", "image=", "picture=x", "=x", "image=x,boxes", "image=x,,boxes=y"})
    EXPECT_THROW(withTensorNames(list, {}), Error) << list;
}

TEST(Wire, ARawPictureIsARowMajorTensorOfItsSize) {
  const std::vector<std::uint8_t> rgb(2 * 3 * 3, 5);
  const Tensor image = rawImage(rgb, {3, 2});
  EXPECT_EQ(image.type, DataType::Uint8);
  EXPECT_EQ(image.shape, (std::vector<std::int64_t>{1, 2, 3, 3}));
  EXPECT_EQ(image.data, rgb);
}

TEST(Wire, APlacementComesBackAsItWas) {
  const Placement placement{12, 34, {640, 480}};
  InferRequest request;
  request.inputs.push_back({.name = "x", .shape = {0}, .binary = false});
  setPlacement(request.parameters, placement);
  const auto read = parseRequest(encode(request).body, std::nullopt);
  ASSERT_TRUE(read) << read.error();
  const auto got = placementOf(read.value().parameters, {100, 50});
  ASSERT_TRUE(got) << got.error();
  EXPECT_EQ(got.value(), placement);
}

TEST(Wire, APictureOfWhichNothingIsSaidLiesInAFrameOfItsOwnSize) {
  EXPECT_EQ(placementOf({{"timeout", std::int64_t{5}}}, {100, 50}).value(),
            (Placement{0, 0, {100, 50}}));
}

TEST(Wire, APlacementThatCannotBeIsRefusedByName) {
  const Parameters good{{"part_x", std::int64_t{0}},
                        {"part_y", std::int64_t{0}},
                        {"frame_width", std::int64_t{100}},
                        {"frame_height", std::int64_t{50}}};
  ASSERT_TRUE(placementOf(good, {100, 50}));
  const struct {
    const char* name;
    Parameter value;
  } wrongs[] = {{"part_x", std::int64_t{-1}},      {"part_x", std::int64_t{1}},
                {"part_x", std::int64_t{1} << 40}, {"part_y", 0.5},
                {"frame_width", std::int64_t{0}},  {"frame_height", std::string("50")}};
  for (const auto& wrong : wrongs) {
    Parameters parameters = good;
    parameters[wrong.name] = wrong.value;
    const auto got = placementOf(parameters, {100, 50});
    ASSERT_FALSE(got) << wrong.name;
    EXPECT_THAT(got.error(), HasSubstr(wrong.name));
  }
  for (const auto& [name, value] : good) {
    Parameters parameters = good;
    parameters.erase(name);
    EXPECT_FALSE(placementOf(parameters, {100, 50})) << name;
  }
}

TEST(Wire, NoBytesHoweverBrokenMakeItCrash) {
  std::mt19937 random(1);
  InferRequest request;
  request.inputs.push_back(encodedImage(bytesOf("a picture")));
  request.inputs.push_back(
      {.name = "n", .type = DataType::Fp32, .shape = {1, 2}, .data = Body(8), .binary = false});
  const Message message = encode(request);
  const Message answer =
      encode(responseWith(std::vector<Detection>{detection({0, 0, 9, 9}, 1, 0)}));
  for (int round = 0; round < 20000; ++round) {
    const Message& from = round % 2 == 0 ? message : answer;
    Body body = from.body;
    std::size_t jsonLength = *from.jsonLength;
    if (round % 5 == 0) {
      body.resize(random() % 64);
      for (std::uint8_t& byte : body) byte = static_cast<std::uint8_t>(random());
      jsonLength = random() % 70;
    }
    for (unsigned change = random() % 4; change > 0 && !body.empty(); --change) {
      const std::size_t at = random() % body.size();
      switch (random() % 4) {
        case 0:
          body[at] = static_cast<std::uint8_t>(random());
          break;
        case 1:
          body[at] = static_cast<std::uint8_t>("0123456789-[]{},\""[random() % 17]);
          break;
        case 2:
          body.resize(at);
          break;
        default:
          body.insert(body.begin() + static_cast<std::ptrdiff_t>(at), body[at]);
      }
    }
    if (const auto parsed = parseRequest(body, jsonLength)) encode(parsed.value());
    if (const auto parsed = parseResponse(body, jsonLength)) {
      encode(parsed.value());
      const auto found = decode(parsed.value());
      if (!found) continue;
      for (const Detection& d : found.value()) EXPECT_TRUE(d.box.finite());
    }
  }
}

}  // namespace
}  // namespace elf::wire
