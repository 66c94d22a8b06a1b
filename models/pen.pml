/* A host, a line that cannot be trusted, and a pen: what must hold, whatever is lost, late or repeated.
 *
 * Strategy. Numbers on the wire are only ever compared, so they are kept as what a comparison would say: an epoch is the
 * pen's present one or OTHER, a session is the pen's latest or OTHER, a request is the newest, the one before or OLDER.
 * When the pen raises its epoch, all that was CURRENT becomes OTHER in the same step. So nothing has to be counted to
 * an end: there are any number of sessions, presses, stops and resets, and the search still closes. Time is a tick, of
 * which LEASE and FRESH are a few; the clock may tick at any time, or hardly ever: a slow host, a slow line and a frozen
 * program are all in that.
 *
 * Names that begin with `g_` are the witness's: they see what no party can see, nobody acts on them, and the
 * requirements are said in them. A planted bug is an #ifdef; `verify.py` has the list of them.
 */

#ifndef DOWN
#define DOWN 2        /* frames that the line can hold towards the pen */
#endif
#ifndef UP
#define UP 1          /* frames that the line can hold towards the host */
#endif
#ifndef LEASE
#define LEASE 2       /* ticks; on the wire both are 300 ms at the most */
#endif
#ifndef FRESH
#define FRESH 2       /* ticks for which a telemetry nonce renews the lease */
#endif
#define OLD (FRESH + 1)
#define TOO_LONG (LEASE + FRESH)

#define CURRENT 0     /* of sessions, epochs, HELLO nonces and STOP numbers */
#define OTHER 1
#define NEWEST 0      /* of request numbers */
#define BEFORE 1
#define OLDER 2       /* only the pen may know one as old as that: the line keeps none */

#define NOTHING 0
mtype = { HELLO, SET, ARM, START, RELEASE, CLEAR, BYE, STOP, BEAT,
          ANSWER, REFUSAL, NO_SESSION, STOP_ANSWER, HELLO_ANSWER, TELEMETRY,
          IDLE, ARMED, RUNNING, FAULT };

typedef Frame {
  mtype kind;
  mtype word;                   /* the state, in telemetry; the state believed, in a beat */
  bool session;
  bool epoch;
  bool seq;                     /* of STOP and its answer: CURRENT is the one that the host waits for */
  unsigned nonce  : 2;          /* beat and telemetry: how many ticks ago it was issued; HELLO: CURRENT or OTHER */
  unsigned g_void : 2           /* 1: the press it comes from has been ended since; 2: the frame itself is from before */
}

Frame down[DOWN];               /* towards the pen; the newest first */
Frame up[UP];
Frame out;                      /* a frame being written; empty between steps */

/* -- the pen ------------------------------------------------------------------------------------------------------ */

mtype state = IDLE;
bool motor;
bool by_trigger;                /* the run was started by the pen's own trigger */
bool proved;                    /* a beat has renewed the lease since ARM */
unsigned lease : 2;             /* ticks left, 0: none runs */
#ifdef SESSIONS
bool open;                      /* a session is open */
#else
bool open = true;
#endif
bool pen_hello = OTHER;         /* the nonce of the HELLO that opened it */
bool collides;                  /* the reset chose an epoch that HELLO will raise to the one before the reset */
bool hello_epoch;               /* the epoch in the answer that was given to it */
unsigned last_seq : 2 = OLDER;  /* of the request taken last */
mtype remembered;               /* the answer or refusal that was given to it; HELLO's is not remembered */
bool remembered_epoch;

/* -- the host ----------------------------------------------------------------------------------------------------- */

#ifdef SESSIONS
bool host_open;
#else
bool host_open = true;
#endif
bool host_session;
bool host_epoch;                /* the pen's, as last told */
mtype flight;                   /* the request that waits for its answer */
bool flight_epoch;
unsigned g_flight : 2;          /* as g_void of its frame */
bool wish;                      /* the operator pressed, and the needles do not move yet */
bool wish_epoch;                /* the epoch in force when they pressed */
mtype believed;                 /* ARMED or RUNNING while the loop of the host controls the pen */
unsigned heard : 2 = OLD;       /* how many ticks ago the nonce was issued that the host heard last */
bool stopping;                  /* STOP is out and not answered */

/* -- the witness -------------------------------------------------------------------------------------------------- */

#define NEVER 0                 /* nothing was armed since the pen started, or since the session was opened */
#define ENDED 1                 /* armed once, and ended by a stop, a trip, or for want of use */
#define GIVEN 2                 /* armed */
unsigned g_permit : 2;
bool g_acked;                   /* a STOP was acknowledged, and nobody has pressed since */
bool g_stop_acted;              /* the pen acted on the STOP that the host waits for */
bool g_undone;                  /* the press in `wish` was ended by whatever ends motion or readiness */
bool g_stop_held_back;          /* the operator wants a stop, and STOP has not left */
bool g_done;                    /* the newest request was carried out */
bool g_done_before;             /* the one before it was */
unsigned g_quiet : 3;           /* ticks since the host sent START, or a beat for a pen that runs; */
                                /* with a trigger, since it sent any beat, ARM or START */

/* The requirements, by name: Spin names the one that does not hold. With -DONLY=ID_... that one alone is watched. */
bool S_08_other_epoch;        /* no set, arm, start, clear or beat from before an end of motion acts after it */
bool S_08_twice;              /* no request is carried out twice */
bool S_09_motor;              /* the motor is on only in a run, with a lease, in a session */
bool S_09_ready;              /* armed and running have a live lease, and nothing else has */
bool S_10_lapse;              /* no motion LEASE + FRESH ticks after the host's last beat for a pen that runs, or START */
bool S_10_trigger;            /* no run begins by the trigger when the host has been silent for as long as that */
bool S_11_after_end;          /* after a trip, a stop or an expiry nothing moves without another ARM */
bool S_12_acknowledged;       /* after an acknowledged STOP the motor is off until somebody presses again */
bool S_12_fresh_press;        /* no run begins on a press that is older than the last end of motion */
bool S_12_stop_acts;          /* STOP acts in every state */
bool S_12_true_answer;        /* what passes for the answer to a STOP comes from a pen that acted on it */
bool S_13_not_queued;         /* no request leaves while a STOP waits to leave */
bool S_16_refused_is_undone;  /* what the host is told was refused was not carried out */
bool S_16_answered_is_done;   /* what the host is told was carried out was */
bool S_24_disarmed;           /* nothing moves after a reset or in a new session without an ARM in it */
bool R_11_4_beat_hears;       /* the host beats only while it hears the pen */
#define ID_S_08_other_epoch 1
#define ID_S_08_twice 2
#define ID_S_09_motor 3
#define ID_S_09_ready 4
#define ID_S_10_lapse 5
#define ID_S_10_trigger 6
#define ID_S_11_after_end 7
#define ID_S_12_acknowledged 8
#define ID_S_12_fresh_press 9
#define ID_S_12_stop_acts 10
#define ID_S_12_true_answer 11
#define ID_S_13_not_queued 12
#define ID_S_16_refused_is_undone 13
#define ID_S_16_answered_is_done 14
#define ID_S_24_disarmed 15
#define ID_R_11_4_beat_hears 16
#ifndef ONLY
#define ONLY 0
#endif

/* `name` is false again at once, so that it takes no part in the states. */
#define REQUIRE(name, condition) name = (ONLY != 0 && ONLY != ID_##name) || (condition); assert(name); name = false

/* What must be possible, lest the requirements hold because nothing happens: -DGOAL=GOAL_... asks Spin for a way there. */
#define GOAL_running (motor)
#define GOAL_stop_acknowledged (g_acked && g_permit == ENDED)
#define GOAL_stop_acknowledged_start_underway (g_acked && down[DOWN - 1].kind == START)
#define GOAL_armed_and_old_start_arrives (state == ARMED && down[0].kind == START && down[0].g_void == 2)
#define GOAL_done_and_not_told (g_done && flight == START && motor)
#define GOAL_run_in_new_session (motor && down[DOWN - 1].session == OTHER && down[DOWN - 1].kind == ARM)
#define GOAL_run_and_old_beat_arrives (motor && down[0].kind == BEAT && down[0].nonce == OLD)
#define GOAL_run_kept_alive (motor && lease == LEASE && g_quiet == 0 && down[0].kind == BEAT)
#define GOAL_lapse (state == FAULT && g_permit == ENDED)
#define GOAL_bound_is_tight (motor && g_quiet == TOO_LONG - 1)

/* What holds between any two steps. */
inline requirements() {
  REQUIRE(S_09_motor, !motor || (state == RUNNING && lease > 0 && open));
  REQUIRE(S_09_ready, (lease > 0) == (state == ARMED || state == RUNNING));
  REQUIRE(S_10_lapse, !motor || g_quiet < TOO_LONG);
  REQUIRE(S_11_after_end, !motor || g_permit != ENDED);
  REQUIRE(S_12_acknowledged, !motor || !g_acked);
  REQUIRE(S_24_disarmed, !motor || g_permit != NEVER);
#ifdef GOAL
  assert(!(GOAL))
#endif
}

#include "line.pml"
#include "device.pml"
#include "host.pml"

#ifdef TIME
/* One tick. The lapse of the lease is part of it: no order of steps may put it off. */
active proctype Clock() {
  byte i;
  do
  :: d_step {
       for (i : 0 .. DOWN - 1) {
         if
         :: down[i].kind == BEAT && down[i].nonce < OLD -> down[i].nonce++
         :: else
         fi
       };
       for (i : 0 .. UP - 1) {
         if
         :: up[i].kind == TELEMETRY && up[i].nonce < OLD -> up[i].nonce++
         :: else
         fi
       };
       i = 0;
       if
       :: heard < OLD -> heard++
       :: else
       fi;
       if
       :: g_quiet < TOO_LONG -> g_quiet++
       :: else
       fi;
       lease_tick();
       requirements()
     }
  od
}
#endif
