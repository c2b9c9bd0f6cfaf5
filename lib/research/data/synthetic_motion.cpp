// SPDX-License-Identifier: LGPL-2.1-or-later
#include "research/data/synthetic_motion.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <iterator>
#include <limits>
#include <numbers>
#include <string>
#include <utility>

#include "elf/base/random.h"

namespace elf {

namespace {

using std::numbers::pi;

constexpr int kFrames = 160;
constexpr Size kSizes[] = {{1242, 375}, {1920, 1080}, {1280, 720}, {768, 576}, {640, 480}};
constexpr std::int64_t kCar = 1;
constexpr std::int64_t kPerson = 2;
constexpr std::int64_t kInstances = 1000;

/** Metres before the camera. A mover that reaches nearer is not seen. */
constexpr double kNearest = 0.8;
/** The minimum share of a box inside the frame. */
constexpr double kInFrame = 0.25;
/** The size in pixels that clipped boxes must exceed. */
constexpr float kLeastWidth = 4;
constexpr float kLeastHeight = 12;
/** An object is hidden if a nearer one covers more of it than this. */
constexpr double kHidden = 0.75;

/** From `from` up to `to` - 1. */
int whole(Random& random, int from, int to) {
  return from + static_cast<int>((to - from) * random.uniform());
}

// --- The world ---

/** A place on the ground, and a direction: radians from z towards x. */
struct Pose {
  double x = 0, z = 0, heading = 0;

  Pose ahead(double metres) const {
    return {x + std::sin(heading) * metres, z + std::cos(heading) * metres, heading};
  }
};

/** One for each frame. */
using Path = std::array<Pose, kFrames>;

struct Camera {
  Size frame;
  /** In pixels. */
  double focal = 0;
  /** From one frame to the next. */
  double seconds = 0;
  double height = 0;
  Path path;
  /** Radians that it looks down, per frame. */
  std::array<double, kFrames> pitch{};
};

Path driven(Random& random, double seconds) {
  constexpr double kSpeedDrift = 0.8, kTurnDrift = 0.06, kTurnKept = 0.97;
  constexpr double kTurningSpeed = 1;
  double speed = random.chance(0.5) ? random.uniform(1, 20) : 0;
  double turning = 0;
  Pose pose;
  Path path;
  for (Pose& at : path) {
    speed = std::max(0.0, speed + random.normal() * kSpeedDrift * std::sqrt(seconds));
    turning *= kTurnKept;
    const double drift = random.normal() * kTurnDrift * std::sqrt(seconds);
    if (speed > kTurningSpeed) turning += drift;
    pose.heading += turning * seconds;
    pose = pose.ahead(speed * seconds);
    at = pose;
  }
  return path;
}

Camera makeCamera(Random& random) {
  constexpr double kSpringsHertz = 1.5;
  Camera camera;
  camera.frame = kSizes[whole(random, 0, static_cast<int>(std::size(kSizes)))];
  camera.focal = camera.frame.width * random.uniform(0.5, 1.3);
  camera.seconds = 1 / random.uniform(7, 30);
  if (random.chance(0.5)) {
    camera.height = random.uniform(1.5, 8);
    camera.pitch.fill(std::atan(camera.height / random.uniform(8, 30)));
    return camera;
  }
  camera.height = random.uniform(1.2, 2);
  const double level = random.uniform(-0.02, 0.05);
  const double springs = random.chance(0.5) ? random.uniform(0, 0.004) : 0;
  for (int t = 0; t < kFrames; ++t)
    camera.pitch[static_cast<std::size_t>(t)] =
        level + springs * std::sin(2 * pi * kSpringsHertz * t * camera.seconds);
  camera.path = driven(random, camera.seconds);
  return camera;
}

struct Mover {
  std::int64_t labelId = 0;
  double width = 0, height = 0, length = 0;
  /** At the moment of its placement. A mover that stands then never moves. */
  double speed = 0;
  /** Steps per second, and the initial phase of the step in radians. */
  double gait = 0, step = 0;
  /** Frames in which it exists. */
  int first = 0, last = 0;
  Path path;

  /** Legs and arms extend when walking. */
  double lengthAt(double seconds) const {
    constexpr double kReach = 0.5;
    if (labelId != kPerson || speed == 0) return length;
    return length * (1 + kReach * std::abs(std::sin(pi * gait * seconds + step)));
  }
};

/** A place roughly in front of the camera. */
Pose placed(Random& random, const Camera& camera, const Pose& from) {
  constexpr double kBeyondEdges = 1.1;
  const double distance = random.uniform(5, 45);
  const double across = (random.uniform() - 0.5) * kBeyondEdges * camera.frame.width;
  const double direction = from.heading + std::atan(across / camera.focal);
  return Pose{from.x, from.z, direction}.ahead(distance);
}

/** Drifts from `pose` in frame `start`: forwards in time, or backwards if `sign` is -1. */
void drift(Random& random, Mover& mover, Pose pose, int start, int sign, double seconds) {
  constexpr double kTurnKept = 0.95;
  const bool car = mover.labelId == kCar;
  const double speedDrift = mover.speed > 0 ? (car ? 0.8 : 0.3) : 0;
  const double turnDrift = car ? 0.05 : 0.3;
  double speed = mover.speed;
  double turning = 0;
  for (int t = start; t >= 0 && t < kFrames; t += sign) {
    mover.path[static_cast<std::size_t>(t)] = pose;
    speed = std::max(0.0, speed + random.normal() * speedDrift * std::sqrt(seconds));
    turning = kTurnKept * turning + random.normal() * turnDrift * std::sqrt(seconds);
    pose.heading += turning * seconds;
    pose = pose.ahead(sign * speed * seconds);
  }
}

double carHeading(Random& random, double road) {
  const double which = random.uniform();
  if (which < 0.4) return road;
  if (which < 0.8) return road + pi;
  return random.uniform(0, 2 * pi);
}

Mover makeMover(Random& random, const Camera& camera) {
  constexpr int kLeastLife = 5;
  Mover mover;
  const bool car = random.chance(0.5);
  mover.labelId = car ? kCar : kPerson;
  mover.width = car ? random.uniform(1.6, 2) : random.uniform(0.45, 0.8);
  mover.height = car ? random.uniform(1.4, 1.9) : random.uniform(1.5, 1.9);
  mover.length = car ? random.uniform(3.5, 5) : random.uniform(0.4, 0.9);
  const int start = whole(random, 0, kFrames);
  const Pose& from = camera.path[static_cast<std::size_t>(start)];
  Pose pose = placed(random, camera, from);
  if (random.chance(car ? 0.5 : 0.8))
    mover.speed = car ? random.uniform(2, 16) : random.uniform(0.5, 2);
  pose.heading = car ? carHeading(random, from.heading) : random.uniform(0, 2 * pi);
  drift(random, mover, pose, start, 1, camera.seconds);
  drift(random, mover, pose, start, -1, camera.seconds);
  mover.first = start - whole(random, kLeastLife, kFrames);
  mover.last = start + whole(random, kLeastLife, kFrames);
  mover.gait = random.uniform(1.5, 2.2);
  mover.step = random.uniform(0, 2 * pi);
  return mover;
}

// --- The camera's view ---

/** One mover in one frame. */
struct Sight {
  Box box;
  /** Metres along the line of sight. */
  double distance = 0;
  bool seen = false;
};

/** One for each frame. */
using Track = std::array<Sight, kFrames>;

struct Point {
  double x, y, z;
};

/** In the camera's axes: right, down, along the line of sight. */
Point toCamera(const Point& world, const Camera& camera, std::size_t t) {
  const Pose& pose = camera.path[t];
  const double c = std::cos(pose.heading), s = std::sin(pose.heading);
  const double dx = world.x - pose.x, dz = world.z - pose.z;
  const double down = camera.height - world.y, along = dx * s + dz * c;
  const double cp = std::cos(camera.pitch[t]), sp = std::sin(camera.pitch[t]);
  return {dx * c - dz * s, down * cp - along * sp, along * cp + down * sp};
}

/** Ignores other movers. */
Sight look(const Mover& mover, const Camera& camera, std::size_t t) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const Pose& pose = mover.path[t];
  const double length = mover.lengthAt(static_cast<double>(t) * camera.seconds);
  Sight sight;
  double left = kInfinity, top = kInfinity, right = -kInfinity, bottom = -kInfinity;
  for (int corner = 0; corner < 8; ++corner) {
    const double along = corner & 1 ? length / 2 : -length / 2;
    const double across = corner & 2 ? mover.width / 2 : -mover.width / 2;
    const Pose front = pose.ahead(along);
    const Point world{front.x + std::cos(pose.heading) * across, corner & 4 ? mover.height : 0,
                      front.z - std::sin(pose.heading) * across};
    const Point point = toCamera(world, camera, t);
    if (!(point.z > kNearest)) return sight;
    sight.distance += point.z / 8;
    const double u = camera.frame.width / 2.0 + camera.focal * point.x / point.z;
    const double v = camera.frame.height / 2.0 + camera.focal * point.y / point.z;
    left = std::min(left, u);
    top = std::min(top, v);
    right = std::max(right, u);
    bottom = std::max(bottom, v);
  }
  const Box whole{static_cast<float>(left), static_cast<float>(top), static_cast<float>(right),
                  static_cast<float>(bottom)};
  sight.box = clip(whole, camera.frame);
  const int frame = static_cast<int>(t);
  sight.seen = frame >= mover.first && frame <= mover.last &&
               sight.box.area() > kInFrame * whole.area() && sight.box.width() > kLeastWidth &&
               sight.box.height() > kLeastHeight;
  return sight;
}

Track watch(const Mover& mover, const Camera& camera) {
  Track track;
  for (std::size_t t = 0; t < track.size(); ++t) track[t] = look(mover, camera, t);
  return track;
}

/** Removes hidden movers in frame `t`. A hidden mover still hides others. */
void hide(std::vector<Track>& tracks, std::size_t t) {
  std::vector<Sight*> seen;
  for (Track& track : tracks)
    if (track[t].seen) seen.push_back(&track[t]);
  for (Sight* sight : seen)
    sight->seen = std::none_of(seen.begin(), seen.end(), [&](const Sight* other) {
      return other->distance < sight->distance &&
             intersect(other->box, sight->box).area() > kHidden * sight->box.area();
    });
}

// --- Labelling ---

Box between(const Box& a, const Box& b, float share) {
  return {std::lerp(a.x0, b.x0, share), std::lerp(a.y0, b.y0, share), std::lerp(a.x1, b.x1, share),
          std::lerp(a.y1, b.y1, share)};
}

/** Keeps only every `step`-th box. Those between two are on a straight line. */
void labelKeyFrames(Track& track, std::size_t step) {
  for (std::size_t key = 0; key + step < track.size(); key += step) {
    const Sight& before = track[key];
    const Sight& after = track[key + step];
    if (!before.seen || !after.seen) continue;
    for (std::size_t i = 1; i < step; ++i) {
      Sight& sight = track[key + i];
      sight.box = between(before.box, after.box, static_cast<float>(i) / static_cast<float>(step));
      sight.seen = true;
    }
  }
}

void labelWholePixels(Track& track) {
  for (Sight& sight : track) {
    Box& box = sight.box;
    box = {std::round(box.x0), std::round(box.y0), std::round(box.x1), std::round(box.y1)};
  }
}

void label(Random& random, std::vector<Track>& tracks) {
  constexpr double kByKeyFrames = 0.3, kInWholePixels = 0.3;
  if (random.chance(kByKeyFrames)) {
    const auto step = static_cast<std::size_t>(whole(random, 4, 11));
    for (Track& track : tracks) labelKeyFrames(track, step);
  }
  if (random.chance(kInWholePixels))
    for (Track& track : tracks) labelWholePixels(track);
}

std::string nameOf(int video) {
  char name[24];
  std::snprintf(name, sizeof name, "synthetic-%04d", video);
  return name;
}

Trace makeVideo(Random& random, int video) {
  const Camera camera = makeCamera(random);
  const int count = whole(random, 6, 40);
  std::vector<std::int64_t> labelIds;
  std::vector<Track> tracks;
  for (int i = 0; i < count; ++i) {
    const Mover mover = makeMover(random, camera);
    labelIds.push_back(mover.labelId);
    tracks.push_back(watch(mover, camera));
  }
  for (std::size_t t = 0; t < kFrames; ++t) hide(tracks, t);
  label(random, tracks);
  Trace trace{nameOf(video), {}};
  for (std::size_t t = 0; t < kFrames; ++t) {
    TraceFrame frame{static_cast<std::int64_t>(t), camera.frame, {}};
    for (std::size_t i = 0; i < tracks.size(); ++i) {
      if (!tracks[i][t].seen) continue;
      TraceObject object;
      object.id = labelIds[i] * kInstances + static_cast<std::int64_t>(i);
      object.labelId = labelIds[i];
      object.label = labelIds[i] == kCar ? "car" : "person";
      object.box = tracks[i][t].box;
      frame.objects.push_back(std::move(object));
    }
    trace.frames.push_back(std::move(frame));
  }
  return trace;
}

}  // namespace

std::vector<Trace> syntheticMotion(int videos, std::uint64_t seed) {
  Random random(seed);
  std::vector<Trace> traces;
  for (int video = 0; video < videos; ++video) traces.push_back(makeVideo(random, video));
  return traces;
}

}  // namespace elf
