// SPDX-License-Identifier: LGPL-2.1-or-later
#include "gst/elfvision/gstelfpipelinefile.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "elf/base/error.h"
#include "gst/elfvision/gstelfpipeline.h"
#include "tests/support/folder.h"

namespace elf::gst {
namespace {

/** Writes `.pipeline` files to a folder that is gone afterwards. */
class PipelineFiles : public ::testing::Test {
 protected:
  void write(const std::string& text) {
    ASSERT_TRUE(g_file_set_contents(path_.c_str(), text.c_str(), -1, nullptr));
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

  GstElement* make(const std::string& assignment) {
    const char* list[] = {assignment.c_str(), nullptr};
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
  EXPECT_EQ(refusal({}), "is no UTF-8 text");
  EXPECT_EQ(code_, GST_ELF_PIPELINE_ERROR_FILE);
}

TEST_F(PipelineFiles, TellsWhatGstreamerCannotMake) {
  write("[pipeline]\nlaunch=fakesrc ! nosuchelement\n");
  EXPECT_EQ(refusal({}), "key 'launch' of group [pipeline]: no element \"nosuchelement\"");
  EXPECT_EQ(code_, GST_ELF_PIPELINE_ERROR_LAUNCH);
}

TEST_F(PipelineFiles, TellsWhichFilesThereAreNot) {
  GError* error = nullptr;
  EXPECT_EQ(gst_elf_pipeline_new("nosuchpipeline", nullptr, &error), nullptr);
  ASSERT_TRUE(g_error_matches(error, GST_ELF_PIPELINE_ERROR, GST_ELF_PIPELINE_ERROR_NOT_FOUND));
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
    GstElement* pipeline = make("v=" + value);
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
    GstElement* pipeline = make("v=" + value);
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
