// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfpipelinefile.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "elf/base/error.h"
#include "gst/elfvision/gstelfpipeline.h"
#include "gst/elfvision/gstelfproperty.h"
#include "tests/support/folder.h"

namespace elf::gst {
namespace {

/** Writes `.pipeline` files to a folder that is gone afterwards. */
class PipelineFiles : public ::testing::Test {
 protected:
  void write(const std::string& text) {
    ASSERT_TRUE(g_file_set_contents(path_.c_str(), text.c_str(), -1, nullptr));
  }

  /** Writes a file of that line alone, which holds no variables. */
  void writeLaunch(const std::string& line) {
    GKeyFile* file = g_key_file_new();
    g_key_file_set_string(file, "pipeline", "launch", line.c_str());
    EXPECT_TRUE(g_key_file_save_to_file(file, path_.c_str(), nullptr));
    g_key_file_unref(file);
  }

  /** What reading says after the path. */
  std::string complaint(const std::string& text) {
    write(text);
    try {
      readPipelineFile(path_);
    } catch (const Error& error) {
      const std::string what = error.what();
      EXPECT_EQ(what.find(path_ + ": "), 0U) << what;
      return what.substr(path_.size() + 2);
    }
    return "";
  }

  /** What gst_elf_pipeline_new() says after the path; its code in `code_`. */
  std::string refusal(const std::vector<const char*>& assignments) {
    std::vector<const char*> list = assignments;
    list.push_back(nullptr);
    GError* error = nullptr;
    GstElement* pipeline = gst_elf_pipeline_new(path_.c_str(), list.data(), &error);
    EXPECT_EQ(pipeline, nullptr);
    if (!error) return "";
    EXPECT_EQ(error->domain, GST_ELF_PIPELINE_ERROR);
    code_ = error->code;
    std::string what = error->message;
    g_error_free(error);
    if (what.starts_with(path_ + ": ")) what = what.substr(path_.size() + 2);
    return what;
  }

  /** With that value of a variable, or with none. */
  GstElement* make(const char* assignment) {
    const char* list[] = {assignment, nullptr};
    GError* error = nullptr;
    GstElement* pipeline = gst_elf_pipeline_new(path_.c_str(), list, &error);
    EXPECT_EQ(error, nullptr) << error->message;
    g_clear_error(&error);
    return pipeline ? GST_ELEMENT(gst_object_ref_sink(pipeline)) : nullptr;
  }

  elf::testing::Folder folder_;
  const std::string path_ = folder_.file("test.pipeline");
  int code_ = -1;
};

TEST_F(PipelineFiles, SaysWhatTheFileSays) {
  write(
      "[pipeline]\ndescription=Two words\nlaunch=fakesrc num-buffers={n} ! fakesink\n"
      "[variable n]\ndefault=3\nhelp=how many\n");
  const PipelineFile file = readPipelineFile(path_);
  EXPECT_EQ(file.description, "Two words");
  ASSERT_EQ(file.variables.size(), 1U);
  EXPECT_EQ(file.variables[0].name, "n");
  EXPECT_EQ(file.variables[0].initial, "3");
  EXPECT_EQ(file.variables[0].help, "how many");
  EXPECT_EQ(launchLine(file, {}), "fakesrc num-buffers=3 ! fakesink");
  EXPECT_EQ(launchLine(file, {{"n", "5"}}), "fakesrc num-buffers=5 ! fakesink");
}

TEST_F(PipelineFiles, NamesWhatIsWrong) {
  EXPECT_EQ(complaint("[pipelin]\nlaunch=fakesrc\n"), "unknown group [pipelin]");
  EXPECT_EQ(complaint("[pipeline]\nlanch=fakesrc\n"),
            "group [pipeline] has an unknown key 'lanch'");
  EXPECT_EQ(complaint("[pipeline]\ndescription=x\n"), "group [pipeline] has no key 'launch'");
  EXPECT_EQ(complaint("[pipeline]\nlaunch=fakesrc\n[variable a]\nvalue=1\n"),
            "group [variable a] has an unknown key 'value'");
  EXPECT_EQ(complaint("[pipeline]\nlaunch=fakesrc\n[variable a]\n"),
            "variable 'a' is not used in 'launch'");
  EXPECT_EQ(complaint("[pipeline]\nlaunch=fakesrc num-buffers={n}\n"),
            "key 'launch' of group [pipeline] uses {n}, but there is no group [variable n]");
  EXPECT_EQ(complaint("[pipeline]\nlaunch=filesrc location=\"{n}\"\n[variable n]\n"),
            "key 'launch' of group [pipeline] has {n} inside quotes; leave the quotes out");
  EXPECT_EQ(complaint("[pipeline]\nlaunch=fakesrc {\n"),
            "key 'launch' of group [pipeline] has a '{' that begins no {NAME} (a literal one is "
            "written '{{')");
  EXPECT_NE(complaint("launch=fakesrc\n"), "");
}

TEST_F(PipelineFiles, TellsWhichVariableIsMissingOrUnknown) {
  write("[pipeline]\nlaunch=filesrc location={input} ! fakesink\n[variable input]\nhelp=x\n");
  EXPECT_EQ(refusal({}), "variable 'input' has no default: give input=...");
  EXPECT_EQ(code_, GST_ELF_PIPELINE_ERROR_VARIABLE);
  EXPECT_EQ(refusal({"imput=x"}), "unknown variable 'imput'; it has input");
  EXPECT_EQ(refusal({"input"}), "'input': not of the form variable=value");
  EXPECT_EQ(refusal({"input=a\nb"}),
            "variable 'input': a value can't hold line breaks or control characters");
  EXPECT_EQ(code_, GST_ELF_PIPELINE_ERROR_VARIABLE);
}

TEST_F(PipelineFiles, AFileThatIsNoTextIsNotQuoted) {
  write(
      std::string("\x1a"
                  "E\xdf\xff\n=\n"));
  EXPECT_EQ(refusal({}), "not UTF-8 text (save it as UTF-8)");
  EXPECT_EQ(code_, GST_ELF_PIPELINE_ERROR_FILE);
}

TEST_F(PipelineFiles, AreReadAsAnEditorShowsThem) {
  for (const char* text : {"\xEF\xBB\xBF[pipeline]\r\nlaunch=fakesrc num-buffers={n} ! "
                           "fakesink\r\n[variable n]\r\ndefault=3\r\n",
                           "[ pipeline ]\n\tlaunch = fakesrc num-buffers={n} ! fakesink\n[variable "
                           " n ]\ndefault =\u00a03\t \n"}) {
    EXPECT_EQ(complaint(text), "");
    const PipelineFile file = readPipelineFile(path_);
    EXPECT_EQ(file.launch, "fakesrc num-buffers={n} ! fakesink");
    ASSERT_EQ(file.variables.size(), 1U);
    EXPECT_EQ(file.variables[0].name, "n");
    EXPECT_EQ(file.variables[0].initial, "3");
  }
}

TEST_F(PipelineFiles, TellsWhatGstreamerCannotMake) {
  write("[pipeline]\nlaunch=fakesrc ! nosuchelement\n");
  EXPECT_EQ(refusal({}), "key 'launch' of group [pipeline]: no element \"nosuchelement\"");
  EXPECT_EQ(code_, GST_ELF_PIPELINE_ERROR_LAUNCH);
}

TEST_F(PipelineFiles, TellsWhichValueAPropertyDoesNotTake) {
  const struct {
    const char *launch, *refusal;
  } wrong[] = {
      {"fakesrc num-buffers=-5 ! fakesink",
       "fakesrc: num-buffers can't be -5; it takes -1 to 2147483647"},
      {"fakesrc num-buffers=many", "fakesrc: num-buffers can't be many; it takes -1 to 2147483647"},
      {"fakesrc num-buffers=99999999999",
       "fakesrc: num-buffers can't be 99999999999; it takes -1 to 2147483647"},
      {"fakesrc ! fakesink sync=\"\"", "fakesink: sync can't be empty"},
      {"fakesrc ! fakesink num-buffers = \"-5\" name = s",
       "s: num-buffers can't be -5; it takes -1 to 2147483647"},
      {"fakesrc ! identity drop-probability=\\1.5 ! fakesink",
       "identity: drop-probability can't be 1.5; it takes 0 to 1"},
      {"fakesrc sizetype=none", "fakesrc: sizetype can't be none; it takes empty, fixed, random"},
      {"fakesrc ! fakesink sync=maybe", "fakesink: sync can't be maybe"},
      {"fakesrc ! video/x-raw,width=7, height=5 ! fakesink name=s num-buffers=-5",
       "s: num-buffers can't be -5; it takes -1 to 2147483647"},
      {"( name=b fakesrc num-buffers=-5 ! fakesink )",
       "fakesrc: num-buffers can't be -5; it takes -1 to 2147483647"},
      {"bin.( name=b message-forward=maybe fakesrc ! fakesink )",
       "b: message-forward can't be maybe"},
      {"videotestsrc ! compositor name=c sink_0::xpos=1 sink_0::alpha=3 ! fakesink",
       "c: sink_0::alpha can't be 3; it takes 0 to 1"},
      {"playbin video-sink=\"videoconvert ! fakesink name=s num-buffers=-5\"",
       "s: num-buffers can't be -5; it takes -1 to 2147483647"}};
  // GObject would only tell the log.
  const GLogLevelFlags before = g_log_set_always_fatal(
      GLogLevelFlags(G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING));
  for (const auto& [launch, expected] : wrong) {
    writeLaunch(launch);
    EXPECT_EQ(refusal({}), expected) << launch;
    EXPECT_EQ(code_, GST_ELF_PIPELINE_ERROR_LAUNCH);
  }
  g_log_set_always_fatal(before);
}

TEST_F(PipelineFiles, WhatOnlyLooksLikeAValueIsNone) {
  for (const char* launch :
       {"fakesrc ! application/x-test, num-buffers=-5 ! fakesink",
        "fakesrc ! capsfilter caps=\"application/x-test, num-buffers=-5\" ! fakesink",
        "filesrc location=\"a fakesrc num-buffers=-5\" ! fakesink",
        "filesrc location=a\\ num-buffers=-5 ! fakesink",
        "file:///fakesrc?num-buffers=-5 ! fakesink",
        "fakesrc ! tee name=t t.src_0 ! fakesink t. ! fakesink num-buffers=5"}) {
    writeLaunch(launch);
    GstElement* pipeline = make(nullptr);
    EXPECT_TRUE(pipeline) << launch;
    if (pipeline) gst_object_unref(pipeline);
  }
}

TEST_F(PipelineFiles, ElementsAreCountedAsIfTheirChildrenWereNotLookedAt) {
  writeLaunch("videotestsrc ! compositor sink_0::alpha=0.5 ! fakesink");
  std::vector<std::string> names;
  for (int i = 0; i < 2; ++i) {
    GstElement* pipeline = make(nullptr);
    GstIterator* elements =
        gst_bin_iterate_all_by_element_factory_name(GST_BIN(pipeline), "compositor");
    GValue element = G_VALUE_INIT;
    ASSERT_EQ(gst_iterator_next(elements, &element), GST_ITERATOR_OK);
    names.emplace_back(GST_OBJECT_NAME(g_value_get_object(&element)));
    g_value_unset(&element);
    gst_iterator_free(elements);
    gst_object_unref(pipeline);
  }
  EXPECT_EQ(std::stoi(names[1].substr(10)), std::stoi(names[0].substr(10)) + 1);
}

TEST(Properties, ALaxOneTakesWhatItCanMakeFit) {
  for (const auto& [flags, taken] :
       {std::pair{G_PARAM_READWRITE, false},
        {GParamFlags(G_PARAM_READWRITE | G_PARAM_LAX_VALIDATION), true}}) {
    GParamSpec* number = g_param_spec_int("n", nullptr, nullptr, 0, 5, 0, flags);
    EXPECT_EQ(takes(number, "7"), taken);
    EXPECT_TRUE(takes(number, "5"));
    g_param_spec_unref(number);
  }
}

TEST_F(PipelineFiles, TellsWhichFilesThereAreNot) {
  GError* error = nullptr;
  EXPECT_EQ(gst_elf_pipeline_new("nosuchpipeline", nullptr, &error), nullptr);
  ASSERT_TRUE(g_error_matches(error, GST_ELF_PIPELINE_ERROR, GST_ELF_PIPELINE_ERROR_NOT_FOUND));
  EXPECT_STREQ(g_quark_to_string(error->domain), "gst-elf-pipeline-error-quark");
  EXPECT_EQ(std::string(error->message).find("nosuchpipeline: no such .pipeline file"), 0U);
  g_error_free(error);
}

TEST_F(PipelineFiles, ASingleElementIsAPipelineToo) {
  write("[pipeline]\nlaunch=fakesrc num-buffers={n}\n[variable n]\n");
  GstElement* pipeline = make("n=1");
  EXPECT_TRUE(GST_IS_PIPELINE(pipeline));
  gst_object_unref(pipeline);
}

TEST_F(PipelineFiles, AnyValueStaysOneValue) {
  write("[pipeline]\nlaunch=filesrc name=s location={v} ! fakesink\n[variable v]\n");
  for (const std::string value : {"plain.avi",    "with space",
                                  "a ! fakesink", "!",
                                  "\"",           "\"quoted\"",
                                  "\"a\" b",      "'",
                                  "it's",         "back\\slash",
                                  "end\\",        "\\\"",
                                  "a=b",          "x,y;z",
                                  "{v}",          "{{",
                                  "(tag)",        "größe.avi",
                                  " lead",        "trail ",
                                  "name=other",   "video/x-raw,width=1 ! identity",
                                  "a.b. c:d",     "#",
                                  "\"\\"}) {
    GstElement* pipeline = make(("v=" + value).c_str());
    ASSERT_TRUE(pipeline) << value;
    EXPECT_EQ(GST_BIN_NUMCHILDREN(pipeline), 2) << value;
    GstElement* source = gst_bin_get_by_name(GST_BIN(pipeline), "s");
    gchar* location = nullptr;
    g_object_get(source, "location", &location, nullptr);
    EXPECT_STREQ(location, value.c_str());
    g_free(location);
    gst_object_unref(source);
    gst_object_unref(pipeline);
  }
}

TEST_F(PipelineFiles, AnyValueStaysPartOfAValue) {
  write("[pipeline]\nlaunch=filesrc name=s location=/a/{v}.avi ! fakesink\n[variable v]\n");
  for (const std::string value : {"", "b ! c", "\"", "'", "\\x", "!"}) {
    GstElement* pipeline = make(("v=" + value).c_str());
    ASSERT_TRUE(pipeline) << value;
    GstElement* source = gst_bin_get_by_name(GST_BIN(pipeline), "s");
    gchar* location = nullptr;
    g_object_get(source, "location", &location, nullptr);
    EXPECT_EQ(location, "/a/" + value + ".avi");
    g_free(location);
    gst_object_unref(source);
    gst_object_unref(pipeline);
  }
}

TEST_F(PipelineFiles, OutsideAPropertyAValueIsAPlainWord) {
  write("[pipeline]\nlaunch=fakesrc ! video/x-raw, width={v} ! {v} ! fakesink\n[variable v]\n");
  const PipelineFile file = readPipelineFile(path_);
  EXPECT_EQ(launchLine(file, {{"v", "640"}}), "fakesrc ! video/x-raw, width=640 ! 640 ! fakesink");
  for (const char* value : {"", "640!identity", "640 ! x", "a,b", "\"x\""})
    EXPECT_THROW(launchLine(file, {{"v", value}}), Error) << value;
}

TEST_F(PipelineFiles, AnEmptyValueIsAnEmptyString) {
  write("[pipeline]\nlaunch=filesrc location={v} name=s\n[variable v]\ndefault=\n");
  EXPECT_EQ(launchLine(readPipelineFile(path_), {}), "filesrc location=\"\" name=s");
}

TEST_F(PipelineFiles, DoubledBracesAreBraces) {
  write("[pipeline]\nlaunch=fakesrc ! video/x-raw,format={{I420,NV12}} ! fakesink\n");
  EXPECT_EQ(launchLine(readPipelineFile(path_), {}),
            "fakesrc ! video/x-raw,format={I420,NV12} ! fakesink");
}

}  // namespace
}  // namespace elf::gst
