// What is known of a model beside its graph and weights.
export * from "./model-info.js";
