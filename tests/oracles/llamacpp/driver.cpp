// Reads llama.cpp's own cache tensors: one model per run, one child process per context.
//
//   driver MODEL.gguf < settings.tsv > results.jsonl
//   driver MODEL.gguf --tensors            the weights that the loader asks for, with their shapes
//
// MODEL.gguf needs metadata only. The model is made by llama_model_init_from_user with no_alloc, so
// real shapes take no memory. A settings line is
//   n_ctx n_batch n_ubatch n_seq_max kv_unified flash_attn swa_full type_k type_v
// (flash_attn: -1 auto, 0 off, 1 on; types by their GGML name). A result line is the sizes of the
// tensors of the context's memory, or the engine's last error message.

#include <array>
#include <bitset>
#include <cassert>
#include <cstdio>
#include <cstring>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

#include "ggml.h"
#include "ggml-cpp.h"
#include "gguf.h"
#include "llama.h"

#define private public
#define protected public
#include "llama-context.h"
#include "llama-kv-cache.h"
#include "llama-kv-cache-dsa.h"
#include "llama-kv-cache-dsa-iswa.h"
#include "llama-kv-cache-dsv4.h"
#include "llama-kv-cache-iswa.h"
#include "llama-kv-cache-msa.h"
#include "llama-memory-hybrid.h"
#include "llama-memory-hybrid-idx.h"
#include "llama-memory-hybrid-iswa.h"
#include "llama-memory-recurrent.h"
#include "llama-model.h"
#undef private
#undef protected

static std::string last_error;

static void on_log(ggml_log_level level, const char * text, void *) {
    if (level == GGML_LOG_LEVEL_ERROR) {
        last_error = text;
        while (!last_error.empty() && (last_error.back() == '\n' || last_error.back() == ' ')) {
            last_error.pop_back();
        }
    }
    if (getenv("DRIVER_LOG")) {
        fputs(text, stderr);
    }
}

static std::string quoted(const std::string & text) {
    std::string out = "\"";
    for (char c : text) {
        if (c == '"' || c == '\\') { out += '\\'; out += c; }
        else if ((unsigned char) c < 0x20) { out += ' '; }
        else { out += c; }
    }
    return out + "\"";
}

struct report {
    std::ostringstream caches;
    size_t k = 0, v = 0, recurrent = 0, state = 0;
    int n = 0;

    void add(const char * kind, uint64_t cells, size_t layers, uint64_t streams, size_t kb, size_t vb) {
        caches << (n++ ? "," : "") << "{\"kind\":\"" << kind << "\",\"cells\":" << cells << ",\"layers\":" << layers
               << ",\"streams\":" << streams << ",\"k_bytes\":" << kb << ",\"v_bytes\":" << vb << "}";
    }
    void cache(const char * kind, const llama_kv_cache * kv) {
        size_t kb = 0, vb = 0;
        for (const auto & l : kv->layers) {
            kb += l.k ? ggml_nbytes(l.k) : 0;
            vb += l.v ? ggml_nbytes(l.v) : 0;
        }
        k += kb; v += vb;
        add(kind, kv->get_size(), kv->layers.size(), kv->n_stream, kb, vb);
    }
    void iswa(const llama_kv_cache_iswa * kv) { cache("full", kv->kv_base.get()); cache("sliding", kv->kv_swa.get()); }
    void dsa(const llama_kv_cache_dsa * kv) { cache("latent", kv->kv_mla.get()); cache("indexer", kv->kv_lid.get()); }
    void recr(const llama_memory_recurrent * mem) {
        size_t bytes = 0, layers = 0;
        for (const auto * list : { &mem->r_l, &mem->s_l, &mem->p_l }) {
            for (const ggml_tensor * t : *list) { bytes += t ? ggml_nbytes(t) : 0; }
        }
        for (const ggml_tensor * t : mem->r_l) { layers += t != nullptr; }
        recurrent += bytes;
        add("recurrent", mem->size, layers, 1, bytes, 0);
    }
    void comp(const char * kind, const llama_dsv4_comp_state * s) {
        size_t a = 0, b = 0;
        for (const auto & l : s->layers) { a += ggml_nbytes(l.kv); b += ggml_nbytes(l.score); }
        state += a + b;
        add(kind, s->state_size, s->layers.size(), s->n_stream, a, b);
    }
};

static std::string measure(llama_context * ctx) {
    report r;
    const llama_memory_i * mem = ctx->memory.get();
    if (!mem) {
        return "{\"no_memory\":true}";
    } else if (auto * m = dynamic_cast<const llama_kv_cache_iswa *>(mem)) {
        r.iswa(m);
    } else if (auto * m = dynamic_cast<const llama_kv_cache_dsa *>(mem)) {
        r.dsa(m);
    } else if (auto * m = dynamic_cast<const llama_kv_cache_dsa_iswa *>(mem)) {
        r.dsa(m->kv_dsa.get());
        r.cache("sliding", m->kv_swa.get());
    } else if (auto * m = dynamic_cast<const llama_kv_cache_msa *>(mem)) {
        r.cache("full", m->kv_base.get());
        r.cache("indexer", m->kv_idx.get());
    } else if (auto * m = dynamic_cast<const llama_kv_cache_dsv4 *>(mem)) {
        r.iswa(m->kv_raw.get());
        r.cache("compressed_4", m->kv_csa.get());
        r.cache("compressed_128", m->kv_hca.get());
        r.cache("indexer", m->kv_lid.get());
        r.comp("compressor_4", m->csa_state.get());
        r.comp("compressor_128", m->hca_state.get());
        r.comp("compressor_indexer", m->lid_state.get());
    } else if (auto * m = dynamic_cast<const llama_memory_hybrid_iswa *>(mem)) {
        r.iswa(m->mem_attn.get());
        r.recr(m->mem_recr.get());
    } else if (auto * m = dynamic_cast<const llama_memory_hybrid_idx *>(mem)) {
        r.cache("full", m->get_mem_attn());
        if (m->mem_idx) { r.cache("indexer", m->mem_idx.get()); }
        r.recr(m->get_mem_recr());
    } else if (auto * m = dynamic_cast<const llama_memory_hybrid *>(mem)) {
        r.cache("full", m->mem_attn.get());
        r.recr(m->mem_recr.get());
    } else if (auto * m = dynamic_cast<const llama_memory_recurrent *>(mem)) {
        r.recr(m);
    } else if (auto * m = dynamic_cast<const llama_kv_cache *>(mem)) {
        r.cache("full", m);
    } else {
        return "{\"failed\":\"unknown memory class\"}";
    }
    std::ostringstream out;
    out << "{\"n_ctx\":" << llama_n_ctx(ctx) << ",\"n_ctx_seq\":" << llama_n_ctx_seq(ctx) << ",\"n_ubatch\":" << llama_n_ubatch(ctx)
        << ",\"k_bytes\":" << r.k << ",\"v_bytes\":" << r.v << ",\"recurrent_bytes\":" << r.recurrent
        << ",\"total_bytes\":" << r.k + r.v + r.recurrent + r.state << ",\"caches\":[" << r.caches.str() << "]}";
    return out.str();
}

static ggml_type type_of(const std::string & name) {
    for (int t = 0; t < GGML_TYPE_COUNT; t++) {
        const char * known = ggml_type_name((ggml_type) t);
        if (known && name == known) { return (ggml_type) t; }
    }
    fprintf(stderr, "unknown type %s\n", name.c_str());
    exit(2);
}

static std::string in_child(const std::function<std::string()> & work) {
    int fd[2];
    if (pipe(fd)) { return "{\"failed\":\"pipe\"}"; }
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
        const std::string text = work();
        for (size_t at = 0; at < text.size();) {
            const ssize_t n = write(fd[1], text.data() + at, text.size() - at);
            if (n <= 0) { _exit(3); }
            at += n;
        }
        _exit(0);
    }
    close(fd[1]);
    std::string out;
    char buf[4096];
    for (ssize_t n; (n = read(fd[0], buf, sizeof buf)) > 0;) { out.append(buf, n); }
    close(fd[0]);
    int status = 0;
    waitpid(pid, &status, 0);
    return out.empty() ? "{\"crashed\":" + std::to_string(status) + "}" : out;
}

int main(int argc, char ** argv) {
    const bool tensors = argc == 3 && !strcmp(argv[2], "--tensors");
    if (argc != 2 && !tensors) {
        fprintf(stderr, "usage: driver MODEL.gguf < settings.tsv\n       driver MODEL.gguf --tensors\n");
        return 2;
    }
    llama_log_set(on_log, nullptr);
    llama_backend_init();
    gguf_init_params gp = { /*.no_alloc =*/ true, /*.ctx =*/ nullptr };
    gguf_context * meta = gguf_init_from_file(argv[1], gp);
    if (!meta) { printf("{\"failed\":%s}\n", quoted("not a GGUF file: " + last_error).c_str()); return 1; }
    // a model without a tensor table gets f32 weights; the routing tables of DeepSeek-V4 must be i32
    {
        ggml_init_params ip = { /*.mem_size =*/ 4 * ggml_tensor_overhead(), /*.mem_buffer =*/ nullptr, /*.no_alloc =*/ true };
        ggml_context * tables = ggml_init(ip);
        ggml_tensor * table = ggml_new_tensor_1d(tables, GGML_TYPE_I32, 1);
        for (int il = 0; il < 512; il++) {
            ggml_format_name(table, "blk.%d.ffn_gate_tid2eid.weight", il);
            if (gguf_find_tensor(meta, ggml_get_name(table)) < 0) { gguf_add_tensor(meta, table); }
        }
        ggml_free(tables);
    }
    llama_model_params mp = llama_model_default_params();
    mp.no_alloc = true;
    mp.load_mtp = true; // only which weights exist depends on it
    llama_model * model = llama_model_init_from_user(meta, [](ggml_tensor *, void *) {}, nullptr, mp);
    if (!model) { printf("{\"failed\":%s}\n", quoted(last_error).c_str()); return 1; }

    if (tensors) {
        for (const auto & [name, t] : model->tensors_by_name) {
            printf("{\"name\":%s,\"shape\":[%lld,%lld,%lld,%lld]}\n", quoted(name).c_str(),
                   (long long) t->ne[0], (long long) t->ne[1], (long long) t->ne[2], (long long) t->ne[3]);
        }
        return 0;
    }

    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream in(line);
        llama_context_params cp = llama_context_default_params();
        int unified, fa, full;
        std::string k, v;
        if (!(in >> cp.n_ctx >> cp.n_batch >> cp.n_ubatch >> cp.n_seq_max >> unified >> fa >> full >> k >> v)) { continue; }
        cp.kv_unified = unified;
        cp.swa_full = full;
        cp.flash_attn_type = (llama_flash_attn_type) fa;
        cp.type_k = type_of(k);
        cp.type_v = type_of(v);
        const std::string result = in_child([&]() -> std::string {
            last_error.clear();
            llama_context * ctx = llama_init_from_model(model, cp);
            return ctx ? measure(ctx) : "{\"refused\":" + quoted(last_error) + "}";
        });
        printf("%s\n", result.c_str());
        fflush(stdout);
    }
    return 0;
}
