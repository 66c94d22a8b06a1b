/* The host: one request at a time, repeated until it is answered or given up; STOP beside it at any time; beats from
 * the loop that controls the pen. Which step comes next, and when, is left open: slow, frozen and killed hosts are all in it.
 */

inline hello_frame() {
  out.kind = HELLO;
  out.nonce = CURRENT;
  out.seq = NEWEST
}

/* The request in flight, as it was made. */
inline write_flight() {
  d_step {
    REQUIRE(S_13_not_queued, !g_stop_held_back);
    if
    :: flight == HELLO -> hello_frame()
    :: else ->
      out.kind = flight;
      out.session = host_session;
      out.seq = NEWEST;
#ifdef BUG_FLIGHT_ADOPTS_EPOCH
      flight_epoch = (MARKED(flight) -> host_epoch : 0);
#endif
      out.epoch = flight_epoch;
      out.g_void = g_flight
    fi;
    if
    :: flight == START -> g_quiet = 0
#ifdef TRIGGER
    :: flight == ARM -> g_quiet = 0
#endif
    :: else
    fi
  }
  put_down()
}

/* Numbers start anew in each session: those of another one are left alone, and may look like the newest for good. */
#define HAS_SEQ(frame) (MARKED(frame.kind) || frame.kind == RELEASE || frame.kind == BYE || IS_REPLY(frame))

/* The next request number of the session. */
inline next_seq() {
  for (i : 0 .. DOWN - 1) {
    if
    :: HAS_SEQ(down[i]) && down[i].session == host_session && down[i].seq == NEWEST -> down[i].seq = BEFORE
    :: HAS_SEQ(down[i]) && down[i].session == host_session && down[i].seq == BEFORE -> clear(down[i])
    :: else
    fi
  };
  for (i : 0 .. UP - 1) {
    if
    :: HAS_SEQ(up[i]) && up[i].session == host_session -> up[i].seq = BEFORE
    :: else
    fi
  };
  i = 0;
  close_gaps();
  if
  :: host_session == CURRENT -> last_seq = (last_seq == NEWEST -> BEFORE : OLDER)
  :: else
  fi;
  g_done_before = g_done;
  g_done = false
}

inline make(what, its_epoch, g_its_void) {
  d_step {
    next_seq();
    flight = what;
    flight_epoch = its_epoch;
    g_flight = g_its_void
  }
  write_flight()
}

inline no_flight() {
  flight = NOTHING;
  flight_epoch = 0;
  g_flight = 0
}

inline no_wish() {
  wish = false;
  wish_epoch = 0;
  g_undone = false
}

inline session_over() {
  no_flight();
  no_wish();
  host_open = false;
  host_session = 0;
  host_epoch = 0;
  believed = NOTHING;
  heard = OLD
}

inline stop_frame() {
  out.kind = STOP;
  out.session = (host_open -> host_session : OTHER);
  out.seq = CURRENT
}

/* STOPs are numbered apart from requests. */
inline next_stop() {
  for (i : 0 .. DOWN - 1) {
    if
    :: down[i].kind == STOP -> down[i].seq = OTHER
    :: else
    fi
  };
  for (i : 0 .. UP - 1) {
    if
    :: up[i].kind == STOP_ANSWER -> up[i].seq = OTHER
    :: else
    fi
  };
  i = 0;
  g_stop_acted = false
}

/* A nonce of its own for each session. */
inline next_hello() {
  for (i : 0 .. DOWN - 1) {
    if
    :: down[i].kind == HELLO -> down[i].nonce = OTHER
    :: else
    fi
  };
  for (i : 0 .. UP - 1) {
    if
    :: up[i].kind == HELLO_ANSWER -> up[i].nonce = OTHER
    :: else
    fi
  };
  i = 0;
  pen_hello = OTHER
}

inline hear(frame) {
  d_step {
    if
    :: frame.kind == TELEMETRY && host_open && frame.session == host_session ->
      host_epoch = frame.epoch;
#ifdef TIME
      heard = frame.nonce;
      if
      :: believed != NOTHING -> believed = ((frame.word == ARMED || frame.word == RUNNING) -> frame.word : NOTHING)
      :: else
      fi
#endif
    :: frame.kind == HELLO_ANSWER && FOR_HELLO(frame) ->
      session_over();
      host_open = true;
      host_session = frame.session;
      host_epoch = frame.epoch
    :: frame.kind == STOP_ANSWER && FOR_STOP(frame) ->
      REQUIRE(S_12_true_answer, g_stop_acted);
      stopping = false;
      g_acked = true;
      if
      :: host_open && frame.session == host_session -> host_epoch = frame.epoch
      :: else
      fi
    :: frame.kind == ANSWER && FOR_FLIGHT(frame) ->
      REQUIRE(S_16_answered_is_done, g_done);
      host_epoch = frame.epoch;
      if
#ifdef TIME
      :: flight == ARM -> believed = ARMED
      :: flight == START -> believed = RUNNING; no_wish()
      :: flight == RELEASE -> believed = (believed == RUNNING -> ARMED : believed)
#else
      :: flight == START -> no_wish()
#endif
#ifdef SESSIONS
      :: flight == BYE -> session_over()
#endif
      :: else
      fi;
      no_flight()
    :: frame.kind == REFUSAL && FOR_FLIGHT(frame) ->
      REQUIRE(S_16_refused_is_undone, !g_done);
      host_epoch = frame.epoch;
      no_flight();
      no_wish()
    :: frame.kind == NO_SESSION && FOR_FLIGHT(frame) ->
      session_over()
    :: else
    fi;
    sweep();
    requirements()
  }
}

#ifdef BUG_EPOCH_AT_REQUEST
#define EPOCH_OF_WISH host_epoch
#else
#define EPOCH_OF_WISH wish_epoch
#endif
/* With the clock the host keeps to R-6.1 and starts when ARM was answered; without, it may start at any time, and the
 * pen must not mind. */
#if defined(TIME) && !defined(BUG_STARTS_UNANSWERED)
#define MAY_START (believed == ARMED)
#else
#define MAY_START true
#endif
#define AT_REST (host_open && flight == NOTHING && !stopping)

active proctype Host() {
  byte i;
  do
#ifdef SESSIONS
  :: atomic { !host_open && flight == NOTHING ->
       d_step { next_hello(); flight = HELLO }
       write_flight()
     }
  :: atomic { AT_REST && !wish -> make(BYE, 0, 0) }
  :: d_step { host_open -> session_over(); sweep() }                             /* killed, and started again */
#endif
#ifdef SETTINGS
  :: atomic { AT_REST && !wish -> make(SET, host_epoch, 0) }
  :: atomic { AT_REST && !wish -> make(RELEASE, 0, 0) }
#endif
  :: atomic { AT_REST && !wish -> make(CLEAR, host_epoch, 0) }
  :: d_step { AT_REST && !wish -> wish = true; wish_epoch = host_epoch; g_acked = false }     /* the operator presses */
  :: atomic { AT_REST && wish -> believed = NOTHING; make(ARM, EPOCH_OF_WISH, g_undone) }
  :: atomic { AT_REST && wish && MAY_START -> make(START, EPOCH_OF_WISH, g_undone) }
  :: atomic { flight != NOTHING -> write_flight() }
  :: d_step {                                                           /* given up: what became of it is unknown */
       flight != NOTHING -> no_flight(); no_wish(); believed = NOTHING; sweep()
     }
#ifdef BUG_STOP_QUEUED
  :: d_step { !stopping -> no_wish(); stopping = true; g_stop_held_back = true; next_stop() }
  :: atomic { stopping && flight == NOTHING -> d_step { g_stop_held_back = false; stop_frame() } put_down() }
#else
  :: atomic {                                                           /* the operator stops */
       d_step { no_flight(); no_wish(); believed = NOTHING; stopping = true; next_stop(); sweep(); stop_frame() }
       put_down()
     }
  :: atomic { stopping -> d_step { stop_frame() } put_down() }
#endif
  :: d_step { stopping -> stopping = false; sweep() }
#ifdef TIME
  :: atomic {
#ifdef BUG_BEATS_UNHEARD
       host_open && believed != NOTHING ->
#else
       host_open && believed != NOTHING && heard <= FRESH ->
#endif
       d_step {
         REQUIRE(R_11_4_beat_hears, heard <= FRESH);
         out.kind = BEAT;
         out.word = believed;
         out.session = host_session;
         out.epoch = host_epoch;
         out.nonce = heard;
         if
#ifdef TRIGGER
         :: true -> g_quiet = 0
#else
         :: believed == RUNNING -> g_quiet = 0
#endif
         :: else
         fi
       }
       put_down()
     }
#endif
  :: atomic { up[0].kind != NOTHING -> hear(up[0]) }
#if UP > 1
  :: atomic { up[1].kind != NOTHING -> hear(up[1]) }
#endif
  od
}
