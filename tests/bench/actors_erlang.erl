%% The measures of the actor benchmark on the BEAM; prints a line "name: figure" for each.
%% Rates are per CPU second of the emulator; "asks" are gen_server calls, as OTP would have it.
-module(actors_erlang).
-behaviour(gen_server).
-export([main/1, init/1, handle_call/3, handle_cast/2]).

-define(SENDERS, 100).
-define(PAIRS, 1000).

main([Seconds]) ->
    Milliseconds = round(list_to_float(atom_to_list(Seconds)) * 1000),
    [io:format("~ts: ~p~n", [Name, rate(Work, 1000, Milliseconds)]) || {Name, Work} <- works()],
    [alive(Count) || Count <- [10000, 100000]],
    halt(0).

works() ->
    [{"round trips", fun(Count) -> play(Count), Count end},
     {"1,000 pairs", fun(Count) -> at_once(fun play/1, Count) end},
     {"asks, one asker", fun(Count) -> ask(Count), Count end},
     {"1,000 askers", fun(Count) -> at_once(fun ask/1, Count) end},
     {"fan-in", fun fan_in/1},
     {"spawns", fun(Count) -> stop(spawn_all(Count)), Count end}].

%% The amount grows until it takes long enough to tell.
rate(Work, Count, Milliseconds) ->
    garbage_collect(),
    {Before, _} = statistics(runtime),
    Done = Work(Count),
    {After, _} = statistics(runtime),
    case max(1, After - Before) of
        Spent when Spent >= Milliseconds -> Done * 1000 / Spent;
        Spent ->
            Factor = max(2.0, min(20.0, 1.2 * Milliseconds / Spent)),
            rate(Work, round(Count * Factor), Milliseconds)
    end.

play(Count) ->
    Other = spawn_link(fun echo/0),
    play(Other, Count),
    unlink(Other),
    exit(Other, kill).

play(_, 0) -> ok;
play(Other, Count) ->
    Other ! {self(), ping},
    receive {Other, ping} -> play(Other, Count - 1) end.

echo() ->
    receive {From, Message} -> From ! {self(), Message}, echo() end.

at_once(Play, Count) ->
    Each = max(1, Count div ?PAIRS),
    Monitors = [spawn_monitor(fun() -> Play(Each) end) || _ <- lists:seq(1, ?PAIRS)],
    [receive {'DOWN', Reference, process, Pid, normal} -> ok end || {Pid, Reference} <- Monitors],
    Each * ?PAIRS.

ask(Count) ->
    {ok, Server} = gen_server:start_link(?MODULE, [], []),
    ask(Server, Count),
    gen_server:stop(Server).

ask(_, 0) -> ok;
ask(Server, Count) ->
    ping = gen_server:call(Server, ping),
    ask(Server, Count - 1).

init([]) -> {ok, none}.
handle_call(Message, _From, State) -> {reply, Message, State}.
handle_cast(_Message, State) -> {noreply, State}.

fan_in(Count) ->
    Each = Count div ?SENDERS,
    Main = self(),
    Sink = spawn_link(fun() -> count(Each * ?SENDERS), Main ! done end),
    [spawn_link(fun() -> [Sink ! ping || _ <- lists:seq(1, Each)] end)
     || _ <- lists:seq(1, ?SENDERS)],
    receive done -> Each * ?SENDERS end.

count(0) -> ok;
count(Left) -> receive ping -> count(Left - 1) end.

%% Start processes that each answer once.
spawn_all(Count) ->
    Pids = [spawn(fun echo/0) || _ <- lists:seq(1, Count)],
    answer_all(Pids),
    Pids.

answer_all(Pids) ->
    [Pid ! {self(), ping} || Pid <- Pids],
    [receive {_, ping} -> ok end || _ <- Pids].

stop(Pids) -> [exit(Pid, kill) || Pid <- Pids].

alive(Count) ->
    garbage_collect(),
    Before = resident_bytes(),
    Pids = spawn_all(Count),
    Bytes = (resident_bytes() - Before) / Count,
    {Started, _} = statistics(runtime),
    Rounds = 5,
    [answer_all(Pids) || _ <- lists:seq(1, Rounds)],
    {Ended, _} = statistics(runtime),
    io:format("answers at ~p: ~p~n", [Count, Rounds * Count * 1000 / max(1, Ended - Started)]),
    io:format("bytes at ~p: ~p~n", [Count, Bytes]),
    stop(Pids).

resident_bytes() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    [_, Pages | _] = string:lexemes(Text, " "),
    binary_to_integer(Pages) * 4096.
