"""pack.py ANSWERS.jsonl FOLDER: the answers of run.py as FOLDER/models.json and FOLDER/cases.jsonl."""
import json, os, sys

answers, folder = sys.argv[1:3]
models, rows = {}, []
for line in open(answers):
    row = json.loads(line)
    config = dict(row['config'])
    quantization = config.pop('quantization_config')
    base, case = row['name'].split(', ', 1)
    text, name, number = json.dumps(config, sort_keys=True), base, 1
    while models.setdefault(name, text) != text:
        number += 1
        name = f'{base} {number}'
    rows.append(dict(oracle=row['oracle'], model=name, case=case, quantization_config=quantization, bytes=row['bytes']))
with open(os.path.join(folder, 'models.json'), 'w') as file:
    file.write('{\n' + ',\n'.join(f'{json.dumps(name)}: {text}' for name, text in models.items()) + '\n}\n')
with open(os.path.join(folder, 'cases.jsonl'), 'w') as file:
    file.writelines(json.dumps(row, separators=(',', ':')) + '\n' for row in rows)
