// The maths of every row of optim/rules.def.
#pragma once
#include "optim/rules/adagrad.h"
#include "optim/rules/adam.h"
#include "optim/rules/adamw.h"
#include "optim/rules/rmsprop.h"
#include "optim/rules/sgd.h"
