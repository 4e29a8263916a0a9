import type { GraphBuilder } from "./builder";
import { buildClipText, buildClipVision } from "./clip";
import type { Config, Inert } from "./config";
import { buildLatentDiffusionUNet } from "./latentDiffusion";
import { buildTinyDecoder, buildTinyEncoder } from "./tinyAutoencoder";
import { buildUNet, type UNetOptions } from "./unet";
import { buildDecoder, buildEncoder } from "./vae";

/** What a network needs to be told besides its config; each architecture reads its own. */
export interface BuildOptions extends UNetOptions {
  /** Which half of an autoencoder; needed there, meaningless elsewhere. */
  readonly part?: "encoder" | "decoder";
}

/** How one class of component is built. */
export interface Architecture {
  /** Names that the weights file may have, before its ending; the first that is there is taken. */
  readonly weightsNames: readonly string[];
  /** Whether it is built in parts. */
  readonly hasParts?: true;
  build(g: GraphBuilder, config: Config, options: BuildOptions): void;
  /** Weights that the built part must use, all of them. */
  uses(tensor: string, options: BuildOptions): boolean;
  /** Fields of the config that the build does not read. */
  readonly inert: Readonly<Record<string, Inert>>;
}

const none = [null, false];
const clipInert: Architecture["inert"] = {
  architectures: "any", attention_dropout: "any", dropout: "any", initializer_factor: "any", initializer_range: "any", projection_dim: "any",
  torch_dtype: "any", dtype: "any", transformers_version: "any",
};

/** By the name of the class in diffusers, transformers or (UNetModel) the latent-diffusion code. */
export const architectures = {
  UNet2DConditionModel: {
    weightsNames: ["diffusion_pytorch_model"],
    build: buildUNet,
    uses: () => true,
    inert: {
      act_fn: ["silu", "swish"], addition_embed_type: none, addition_embed_type_num_heads: "any", addition_time_embed_dim: none, attention_type: ["default"],
      center_input_sample: [false], class_embeddings_concat: [false], conv_in_kernel: [3], conv_out_kernel: [3],
      cross_attention_norm: none, downsample_padding: [1], dropout: "any", dual_cross_attention: [false], encoder_hid_dim: none, encoder_hid_dim_type: none,
      mid_block_only_cross_attention: none, mid_block_scale_factor: [1], mid_block_type: ["UNetMidBlock2DCrossAttn"], num_attention_heads: none, num_class_embeds: none,
      only_cross_attention: [false], projection_class_embeddings_input_dim: "any", resnet_out_scale_factor: [1], resnet_skip_time_act: [false],
      resnet_time_scale_shift: ["default"], reverse_transformer_layers_per_block: none, sample_size: "any", time_cond_proj_dim: none,
      time_embedding_act_fn: none, time_embedding_dim: none, time_embedding_type: ["positional"], timestep_post_act: none, upcast_attention: "any",
    },
  },
  AutoencoderKL: {
    weightsNames: ["diffusion_pytorch_model"],
    hasParts: true,
    build: (g, config, { part }) => (part === "encoder" ? buildEncoder(g, config) : buildDecoder(g, config)),
    uses: (tensor, { part }) => {
      const [own, other] = part === "encoder" ? [/^(encoder|quant_conv)\./, /^(decoder|post_quant_conv)\./] : [/^(decoder|post_quant_conv)\./, /^(encoder|quant_conv)\./];
      return own.test(tensor) || !other.test(tensor);
    },
    inert: {
      act_fn: ["silu", "swish"], down_block_types: "any", up_block_types: "any", in_channels: "any", out_channels: "any", use_quant_conv: "any", use_post_quant_conv: "any",
      force_upcast: "any", latents_mean: none, latents_std: none, sample_size: "any", scaling_factor: "any", shift_factor: [null, 0],
    },
  },
  AutoencoderTiny: {
    weightsNames: ["diffusion_pytorch_model"],
    hasParts: true,
    build: (g, config, { part }) => (part === "encoder" ? buildTinyEncoder(g, config) : buildTinyDecoder(g, config)),
    uses: (tensor, { part }) => !tensor.startsWith(part === "encoder" ? "decoder." : "encoder."),
    inert: {
      act_fn: ["relu"], upsample_fn: ["nearest"], upsampling_scaling_factor: [2], block_out_channels: "any",
      encoder_block_out_channels: "any", decoder_block_out_channels: "any", num_encoder_blocks: "any", num_decoder_blocks: "any",
      in_channels: "any", out_channels: "any", force_upcast: "any", scaling_factor: "any", shift_factor: [null, 0],
      // Of latents that are stored as 8-bit images.
      latent_magnitude: "any", latent_shift: "any",
    },
  },
  CLIPTextModel: {
    weightsNames: ["model", "pytorch_model"],
    build: buildClipText,
    uses: (tensor) => tensor !== "text_model.embeddings.position_ids",
    inert: { ...clipInert, bos_token_id: "any", eos_token_id: "any", model_type: ["clip_text_model"], pad_token_id: "any" },
  },
  CLIPVisionModelWithProjection: {
    weightsNames: ["model", "pytorch_model"],
    build: buildClipVision,
    uses: (tensor) => tensor !== "vision_model.embeddings.position_ids",
    inert: { ...clipInert, model_type: ["clip_vision_model"] },
  },
  UNetModel: {
    weightsNames: ["unet_ldm_layout", "depthfm-v1"],
    build: buildLatentDiffusionUNet,
    // Besides the network a checkpoint of DepthFM holds the embedding of the empty prompt.
    uses: (tensor) => tensor !== "empty_text_embedding",
    inert: { noising_step: "any", scale_factor: "any", layout: "any" },
  },
} as const satisfies Readonly<Record<string, Architecture>>;
