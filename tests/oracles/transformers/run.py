"""run.py CONFIGS ANSWERS [NAME...]: transformers' own answers for every CONFIGS/*.json, one file each in ANSWERS.

Answers that are already there are kept; delete a file to have it made again.
"""
import json, os, sys

import oracle

# batch, prompt length, max_cache_len of a StaticCache or None for the cache the model makes itself
CASES = [(1, 1, None), (1, 17, None), (2, 1000, None), (1, 9000, None), (1, 17, 1024), (2, 40, 9000)]
STEPPED = [(1, 1, None), (1, 17, None), (2, 300, None)]  # token-by-token Python loops over the prompt


def answer(path):
    try:
        with oracle.limit(300):
            config = oracle.read_config(path)
            model = oracle.build(config)
            got = {'class': type(model).__name__, **oracle.parameters(model)}
    except Exception as e:
        return {'error': f'{type(e).__name__}: {str(e)[:300]}'}
    got['caches'] = []
    for index, one in enumerate(CASES):
        row = oracle.case(model, *one, seconds=90)
        if row.get('error', '').startswith('TimeOut') and one[2] is None:
            got['caches'] += [oracle.case(model, *c, seconds=300) for c in STEPPED if c not in CASES[:index]]
            break
        got['caches'].append(row)
    for row in got['caches']:
        row.pop('tensors', None)
        if row['max_cache_len'] is None:
            del row['max_cache_len']
    return got


def main():
    configs, answers = sys.argv[1:3]
    names = sys.argv[3:] or sorted(f[:-5] for f in os.listdir(configs) if '__' in f)
    os.makedirs(answers, exist_ok=True)
    for name in names:
        out = os.path.join(answers, name + '.json')
        if os.path.exists(out):
            continue
        got = answer(os.path.join(configs, name + '.json'))
        with open(out + '.part', 'w') as f:
            json.dump(got, f, separators=(',', ':'), sort_keys=True)
            f.write('\n')
        os.rename(out + '.part', out)
        print(name, got.get('parameters', got.get('error')), [c.get('bytes', c.get('error')) for c in got.get('caches', [])], flush=True)


if __name__ == '__main__':
    main()
