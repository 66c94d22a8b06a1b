/* The line: a set of frames. Each of them may arrive at any time, any number of times, in any order, or never; a new
 * one pushes out one of them. That is more than any line does, and so covers loss, delay, repeats, replays, and
 * buffers that drain late. What it never does is invent a frame: that is the business of CRC-32, not of this model.
 */

#define SAME(a, b) (a.kind == b.kind && a.word == b.word && a.session == b.session && a.seq == b.seq && \
                    a.epoch == b.epoch && a.nonce == b.nonce && a.g_void == b.g_void)

inline copy(from, to) {
  to.kind = from.kind;
  to.word = from.word;
  to.session = from.session;
  to.seq = from.seq;
  to.epoch = from.epoch;
  to.nonce = from.nonce;
  to.g_void = from.g_void
}

inline clear(frame) {
  frame.kind = NOTHING;
  frame.word = NOTHING;
  frame.session = 0;
  frame.seq = 0;
  frame.epoch = 0;
  frame.nonce = 0;
  frame.g_void = 0
}

#if DOWN == 1
#define ON_WAY_DOWN SAME(out, down[0])
#elif DOWN == 2
#define ON_WAY_DOWN (SAME(out, down[0]) || SAME(out, down[1]))
#else
#define ON_WAY_DOWN (SAME(out, down[0]) || SAME(out, down[1]) || SAME(out, down[2]))
#endif
#if UP == 1
#define ON_WAY_UP SAME(out, up[0])
#else
#define ON_WAY_UP (SAME(out, up[0]) || SAME(out, up[1]))
#endif

/* Put `out` on the line: when that is full it is lost, or pushes out one of those that are there. A frame that is
 * there already only arrives more often, which it may anyway. */
inline put_down() {
  if
  :: ON_WAY_DOWN
  :: else ->
    if
    :: down[DOWN - 1].kind != NOTHING
#if DOWN > 1
    :: down[DOWN - 1].kind != NOTHING -> d_step { copy(out, down[0]) }
#endif
#if DOWN > 2
    :: down[DOWN - 1].kind != NOTHING -> d_step { copy(down[0], down[1]); copy(out, down[0]) }
    :: d_step { copy(down[1], down[2]); copy(down[0], down[1]); copy(out, down[0]) }
#elif DOWN > 1
    :: d_step { copy(down[0], down[1]); copy(out, down[0]) }
#else
    :: d_step { copy(out, down[0]) }
#endif
    fi
  fi;
  d_step { clear(out) }
}

/* Frames that were dropped leave no holes. */
inline close_gaps() {
#if DOWN > 1
  if
  :: down[0].kind == NOTHING -> copy(down[1], down[0]); clear(down[1])
  :: else
  fi
#else
  skip
#endif
#if DOWN > 2
  ;
  if
  :: down[1].kind == NOTHING -> copy(down[2], down[1]); clear(down[2])
  :: else
  fi;
  if
  :: down[0].kind == NOTHING -> copy(down[1], down[0]); clear(down[1])
  :: else
  fi
#endif
}

/* What the host waits for. */
#define IS_REPLY(frame) (frame.kind == ANSWER || frame.kind == REFUSAL || frame.kind == NO_SESSION)
#define FOR_HELLO(frame) (flight == HELLO && frame.seq == NEWEST && frame.nonce == CURRENT)
#ifdef BUG_ANY_ANSWER
#define FOR_FLIGHT(frame) (flight != NOTHING && flight != HELLO && host_open)
#else
#define FOR_FLIGHT(frame) (flight != NOTHING && flight != HELLO && frame.session == host_session && \
                           frame.seq == NEWEST)
#endif
#ifdef BUG_ANY_STOP_ANSWER
#define FOR_STOP(frame) stopping
#else
#define FOR_STOP(frame) (stopping && frame.seq == CURRENT)
#endif

/* What the host would only drop need not lie on the line: `hear` shows that this loses nothing. */
#if defined(BUG_ANY_ANSWER) || defined(BUG_ANY_STOP_ANSWER)
#define AWAITED(frame) true
#else
#define AWAITED(frame) (frame.kind == TELEMETRY || (frame.kind == STOP_ANSWER && FOR_STOP(frame)) || \
                        (frame.kind == HELLO_ANSWER && FOR_HELLO(frame)) || (IS_REPLY(frame) && FOR_FLIGHT(frame)))
#endif

inline sweep() {
  for (i : 0 .. UP - 1) {
    if
    :: !AWAITED(up[i]) -> clear(up[i])
    :: else
    fi
  };
  i = 0
#if UP > 1
  ;
  if
  :: up[0].kind == NOTHING && up[1].kind != NOTHING -> copy(up[1], up[0]); clear(up[1])
  :: else
  fi
#endif
}

inline put_up() {
  if
  :: ON_WAY_UP || !AWAITED(out)
  :: else ->
    if
    :: up[UP - 1].kind != NOTHING
#if UP > 1
    :: up[UP - 1].kind != NOTHING -> d_step { copy(out, up[0]) }
    :: d_step { copy(up[0], up[1]); copy(out, up[0]) }
#else
    :: d_step { copy(out, up[0]) }
#endif
    fi
  fi;
  d_step { clear(out) }
}
