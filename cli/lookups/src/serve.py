

for line in sys.stdin:
    question = json.loads(line)
    try:
        answer = OPERATIONS[question["op"]](question)
        text = json.dumps(answer)
    except BaseException as error:
        text = json.dumps({"error": str(error) or type(error).__name__})
    answers.write(text + "\n")
    answers.flush()
