"""buffers.py CONFIGS OUT.json: elements of the buffers that transformers keeps in state dicts, by configuration."""
import collections, json, os, re, sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'transformers'))
import oracle

configs, out = sys.argv[1:3]
rows = []
for file in sorted(name for name in os.listdir(configs) if '__' in name):
    try:
        with oracle.limit(120):
            model = oracle.build(oracle.read_config(os.path.join(configs, file)))
    except Exception as error:
        print(file, str(error)[:80], flush=True)
        continue
    if any(parameter.element_size() != 2 for parameter in model.parameters()):
        continue  # parameters in f32 would have to be told from buffers
    parameters = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    buffers = collections.Counter()
    for name, tensor in model.state_dict().items():
        if name not in parameters:
            buffers[re.sub(r'\.\d+\.', '.N.', name)] += tensor.numel()
    if buffers:
        rows.append(f'{json.dumps(file[:-5])}: {json.dumps(buffers)}')
open(out, 'w').write('{\n' + ',\n'.join(rows) + '\n}\n')
