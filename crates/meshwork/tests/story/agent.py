"""A small agent of the Agent Client Protocol, for stories. Its argument says how it behaves."""
import json, os, sys, time

mode = sys.argv[1]


def send(message):
    print(json.dumps({"jsonrpc": "2.0", **message}), flush=True)


def say(text):
    update = {"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}}
    send({"method": "session/update", "params": {"sessionId": "s1", "update": update}})


def beat_until_told():
    """Counts in a file, until the test lays the file `go` beside it."""
    count = 0
    while not os.path.exists("go"):
        count += 1
        with open("beat.new", "w") as file:
            file.write(str(count))
        os.replace("beat.new", "beat")
        time.sleep(0.02)
    os.remove("go")


def ask():
    options = [
        {"optionId": "yes", "name": "Yes", "kind": "allow_once"},
        {"optionId": "no", "name": "No", "kind": "reject_once"},
    ]
    call = {"toolCallId": "t1", "title": "write answer.txt"}
    send({"id": 900, "method": "session/request_permission", "params": {"sessionId": "s1", "toolCall": call, "options": options}})
    for line in sys.stdin:
        message = json.loads(line)
        if message.get("id") == 900:
            with open("answer.txt", "w") as file:
                file.write(message["result"]["outcome"].get("optionId", "cancelled"))
            return


def turn(prompt, number):
    if mode == "garbage":
        print('{"jsonrpc": "2.0", "result": ' + "[" * 50, flush=True)
        sys.stdout.write("x" * (20 << 20) + "\n")
        sys.stdout.flush()
        sys.exit(0)
    if mode == "hang":
        time.sleep(600)
    while mode == "chatter":
        say("still at it. ")
        time.sleep(0.1)
    if mode == "ask":
        ask()
    if mode == "beat" and number == 1:
        with open("started.txt", "w") as file:
            file.write(os.environ.get("MESHWORK_TASK", ""))
        say("working now.")
        beat_until_told()
    if mode == "beat" and number > 1:
        with open("message.txt", "w") as file:
            file.write(prompt)


turns = 0
for line in sys.stdin:
    message = json.loads(line)
    method, number = message.get("method"), message.get("id")
    if method == "initialize":
        send({"id": number, "result": {"protocolVersion": 1, "agentCapabilities": {}, "agentInfo": {"name": "story", "version": "1"}}})
    elif method == "session/new":
        send({"id": number, "result": {"sessionId": "s1"}})
    elif method == "session/prompt":
        turns += 1
        turn("".join(part.get("text", "") for part in message["params"]["prompt"]), turns)
        send({"id": number, "result": {"stopReason": "end_turn"}})
    elif number is not None:
        send({"id": number, "error": {"code": -32601, "message": "not known"}})
