/* The pen. Frames are judged in the order of R-3.1; whatever ends motion or readiness goes through `end`. */

/* -- numbers ------------------------------------------------------------------------------------------------------ */

#define MARKED(request) (request == SET || request == ARM || request == START || request == CLEAR)

/* The pen's epoch goes on: whoever held the present one holds another now. */
inline raise_epoch() {
  for (i : 0 .. DOWN - 1) {
    if
    :: MARKED(down[i].kind) || down[i].kind == BEAT -> down[i].epoch = OTHER
    :: else
    fi
  };
  for (i : 0 .. UP - 1) {
    if
    :: up[i].kind != NOTHING -> up[i].epoch = OTHER
    :: else
    fi
  };
  i = 0;
  host_epoch = (host_open -> OTHER : 0);
  flight_epoch = (MARKED(flight) -> OTHER : 0);
  wish_epoch = (wish -> OTHER : 0);
  remembered_epoch = (remembered == NOTHING -> 0 : OTHER);
  hello_epoch = (open -> OTHER : 0)
}

inline next_session() {
  for (i : 0 .. DOWN - 1) {
    if
    :: down[i].kind != NOTHING && down[i].kind != HELLO -> down[i].session = OTHER
    :: else
    fi
  };
  for (i : 0 .. UP - 1) {
    if
    :: up[i].kind != NOTHING -> up[i].session = OTHER
    :: else
    fi
  };
  i = 0;
  host_session = (host_open -> OTHER : 0)
}

/* -- ends --------------------------------------------------------------------------------------------------------- */

/* The witness: all that was asked for until now is from before. */
inline g_now_is_after() {
  for (i : 0 .. DOWN - 1) {
    if
    :: MARKED(down[i].kind) || down[i].kind == BEAT -> down[i].g_void = 2
    :: else
    fi
  };
  i = 0;
  if
  :: MARKED(flight) -> g_flight = 2
  :: else
  fi;
  g_undone = wish
}

inline g_no_permit() {
  g_permit = (g_permit == GIVEN -> ENDED : g_permit)
}

#define READY (state == ARMED || state == RUNNING)

/* An end of motion or readiness, or of both; `raises` is false only where a bug forgets to raise the epoch. */
inline end(next, raises) {
  motor = false;
  state = next;
  by_trigger = false;
  if
  :: next != ARMED -> lease = 0; g_no_permit()
  :: else
  fi;
  if
  :: raises -> raise_epoch()
  :: else
  fi;
  g_now_is_after()
}

#ifdef BUG_STOP_KEEPS_EPOCH
#define STOP_RAISES false
#else
#define STOP_RAISES true
#endif
#ifdef BUG_TRIP_KEEPS_EPOCH
#define TRIP_RAISES false
#else
#define TRIP_RAISES true
#endif
#ifdef BUG_DURATION_KEEPS_EPOCH
#define DURATION_RAISES false
#else
#define DURATION_RAISES true
#endif

inline stop_now() {
#ifdef BUG_STOP_LEAVES_ARMED
  end((READY -> ARMED : state), STOP_RAISES);
#else
  end((READY -> IDLE : state), STOP_RAISES);
#endif
  g_no_permit()
}

inline trip() {
  end(FAULT, TRIP_RAISES)
}

inline lease_tick() {
  if
#ifdef BUG_ARMED_LEASE_STANDS
  :: lease > 0 && state == RUNNING ->
#else
  :: lease > 0 ->
#endif
    lease--;
    if
#ifdef BUG_LAPSE_IGNORED_IN_ARMED
    :: lease == 0 && state == RUNNING -> trip()
#else
    :: lease == 0 -> trip()
#endif
    :: else
    fi
  :: else
  fi
}

/* Forget the session, but for what answers a repeated BYE. */
inline close_session() {
  open = false;
  pen_hello = OTHER;
  hello_epoch = 0
}

inline reset() {
#ifdef BUG_RESET_KEEPS_ARMED
  motor = false;
  g_permit = NEVER;
#else
  end(IDLE, false);
  g_permit = NEVER;
#endif
  close_session();
  collides = false;
  last_seq = OLDER;
  remembered = NOTHING;
  remembered_epoch = 0
}

/* -- requests ----------------------------------------------------------------------------------------------------- */

/* A frame of the pen, with its present epoch. */
inline say(what) {
  out.kind = what;
  out.epoch = CURRENT
}

#define NEWER(one) (one < last_seq)

/* Just after the epoch went from 65535 to 0 every other one is greater. */
#ifdef BUG_EPOCH_ORDERED
#define EPOCH_FITS(frame) true
#else
#define EPOCH_FITS(frame) (frame.epoch == CURRENT)
#endif
#ifdef BUG_SESSION_UNCHECKED
#define SESSION_FITS(frame) (open)
#else
#define SESSION_FITS(frame) (open && frame.session == CURRENT)
#endif
/* Carried out. The witness looks on. */
inline carried_out(frame) {
  REQUIRE(S_08_twice, !(frame.seq == NEWEST -> g_done : g_done_before));
  REQUIRE(S_08_other_epoch, frame.g_void != 2);
  if
  :: frame.seq == NEWEST -> g_done = true
  :: else -> g_done_before = true
  fi;
  remembered = ANSWER
}

inline begin(triggered) {
  state = RUNNING;
  motor = true;
  by_trigger = triggered
}

/* The pen's own checks, for a request of the open session, new, and of this epoch where that counts. */
inline judge(frame) {
  remembered = REFUSAL;
  if
#ifdef SETTINGS
  :: frame.kind == SET && state != FAULT ->
    carried_out(frame)
#endif
  :: frame.kind == ARM && state == IDLE ->
    carried_out(frame);
    state = ARMED;
    lease = LEASE;
    g_permit = GIVEN;
#ifdef TRIGGER
    proved = false;
#endif
#ifdef BUG_START_WITHOUT_ARM
  :: frame.kind == START && (state == ARMED || state == IDLE) ->
#else
  :: frame.kind == START && state == ARMED ->
#endif
    carried_out(frame);
    REQUIRE(S_12_fresh_press, frame.g_void == 0);
    begin(false)
#ifdef SETTINGS
  :: frame.kind == RELEASE ->
    carried_out(frame);
    if
    :: state == RUNNING ->
#ifdef BUG_RELEASE_LEAVES_MOTOR
      end(ARMED, true);
      motor = true
#else
      end(ARMED, true)
#endif
    :: else
    fi
#endif
  :: frame.kind == CLEAR ->
    carried_out(frame);
    if
#ifdef BUG_CLEAR_RESUMES
    :: state == FAULT -> state = RUNNING; motor = true; lease = LEASE
#else
    :: state == FAULT -> state = IDLE
#endif
    :: else
    fi
#ifdef SESSIONS
  :: frame.kind == BYE ->
    carried_out(frame);
    if
    :: READY -> end(IDLE, true)
    :: else
    fi;
    close_session()
#endif
  :: else
  fi
}

/* A request other than STOP and HELLO, in the order of R-3.1. The answer is left in `out`. */
inline request(frame) {
  out.session = frame.session;
  out.seq = frame.seq;
  if
#if !defined(BUG_NO_SEQ) && !defined(BUG_FORGETS_ANSWER)
  :: frame.session == CURRENT && frame.seq == last_seq && remembered != NOTHING ->
    say(remembered);
    out.epoch = remembered_epoch
  :: else ->
#else
  :: true ->
#endif
    if
    :: !SESSION_FITS(frame) ->
      say(NO_SESSION)
#ifndef BUG_NO_SEQ
    :: SESSION_FITS(frame) && !NEWER(frame.seq) ->
      say(REFUSAL)
#endif
    :: else ->
      last_seq = frame.seq;
      if
      :: MARKED(frame.kind) && !EPOCH_FITS(frame) -> remembered = REFUSAL
      :: else -> judge(frame)
      fi;
      remembered_epoch = CURRENT;
      say(remembered)
    fi
  fi
}

inline hello(frame) {
  if
  :: open && frame.nonce == CURRENT && pen_hello == CURRENT ->
    skip
  :: else ->
#ifdef BUG_ARM_SURVIVES_HELLO
    motor = false;
    state = (state == RUNNING -> ARMED : state);
    raise_epoch();
    g_now_is_after();
#else
    end((READY -> IDLE : state), !collides);
#endif
    collides = false;
    g_permit = NEVER;
    next_session();
    open = true;
    pen_hello = frame.nonce;
    hello_epoch = CURRENT;
    last_seq = NEWEST;
    remembered = NOTHING;
    remembered_epoch = 0
  fi;
  out.session = CURRENT;
  out.seq = frame.seq;
  out.nonce = frame.nonce;
  say(HELLO_ANSWER);
  out.epoch = hello_epoch
}

inline stop(frame) {
  stop_now();
  REQUIRE(S_12_stop_acts, !motor && !READY);
  if
  :: frame.seq == CURRENT -> g_stop_acted = true
  :: else
  fi;
  out.session = frame.session;
  out.seq = frame.seq;
  say(STOP_ANSWER)
}

#ifdef BUG_OLD_NONCE
#define NONCE_FITS(beat) true
#else
#define NONCE_FITS(beat) (beat.nonce <= FRESH)
#endif
#ifdef BUG_BELIEF_UNCHECKED
#define BELIEF_FITS(beat) true
#else
#define BELIEF_FITS(beat) (beat.word == state)
#endif
#ifdef BUG_BEAT_ANY_EPOCH
#define BEAT_EPOCH_FITS(beat) true
#else
#define BEAT_EPOCH_FITS(beat) (beat.epoch == CURRENT)
#endif

inline beat(frame) {
  if
  :: READY && SESSION_FITS(frame) && BEAT_EPOCH_FITS(frame) && BELIEF_FITS(frame) && NONCE_FITS(frame) ->
    REQUIRE(S_08_other_epoch, frame.g_void == 0);
#ifdef TRIGGER
    proved = true;
#endif
    lease = LEASE
  :: else
  fi
}

/* A frame arrives. */
inline take(frame) {
  d_step {
#ifdef BUG_LEASE_BY_ANY_FRAME
    if
    :: READY && SESSION_FITS(frame) && frame.kind != BEAT -> lease = LEASE
    :: else
    fi;
#endif
    if
    :: frame.kind == STOP -> stop(frame)
#ifdef SESSIONS
    :: frame.kind == HELLO -> hello(frame)
#endif
#ifdef TIME
    :: frame.kind == BEAT -> beat(frame)
#endif
    :: else -> request(frame)
    fi;
    requirements()
  }
  put_up()
}

#ifdef TRIGGER
/* The edge of a press, in a pen that was armed for it. */
#if defined(BUG_TRIGGER_UNPROVED) || !defined(TIME)
/* Without the clock there are no beats to wait for. */
#define TRIGGER_MAY (state == ARMED)
#else
#define TRIGGER_MAY (state == ARMED && proved)
#endif

inline press_trigger() {
  REQUIRE(S_10_trigger, g_quiet < TOO_LONG);
  begin(true)
}
#endif

active proctype Device() {
  byte i;
  do
  :: atomic { down[0].kind != NOTHING -> take(down[0]) }
#if DOWN > 1
  :: atomic { down[1].kind != NOTHING -> take(down[1]) }
#endif
#if DOWN > 2
  :: atomic { down[2].kind != NOTHING -> take(down[2]) }
#endif
  :: atomic { open ->
       d_step {
         out.session = CURRENT;
         out.nonce = 0;
#ifdef TIME
         out.word = state;
#endif
         say(TELEMETRY)
       }
       put_up()
     }
  :: d_step { state == RUNNING -> end(ARMED, DURATION_RAISES); requirements() }
  :: d_step { state == ARMED -> end(IDLE, true); requirements() }
#ifndef ONLY_THE_LEASE_TRIPS
  :: d_step { state != FAULT -> trip(); requirements() }
#endif
  :: d_step { true -> stop_now(); requirements() }                        /* the pen's own stop key */
#ifdef SESSIONS
  :: d_step { true -> reset(); raise_epoch(); requirements() }
  :: d_step { true -> reset(); collides = true; requirements() }
#endif
#ifdef TRIGGER
  :: d_step { TRIGGER_MAY -> press_trigger(); requirements() }
  :: d_step { state == RUNNING && by_trigger -> end(ARMED, true); requirements() }
#endif
  od
}
