"""What goes with what: linear models with honest errors, and models of people in schools."""

from collabsurvey.regression.aggregated import AggregatedPredictorResult, aggregated_predictor
from collabsurvey.regression.anova import AnovaResult, anova
from collabsurvey.regression.caterpillar import caterpillar
from collabsurvey.regression.coefficient_chart import coefficient_chart
from collabsurvey.regression.collinearity import CollinearityResult, collinearity
from collabsurvey.regression.compare import ComparisonResult, compare
from collabsurvey.regression.contextual import ContextualResult, contextual_effect
from collabsurvey.regression.explain import Explanation, explanation
from collabsurvey.regression.few_clusters import ClusterRulesResult, enough_clusters
from collabsurvey.regression.formula import Formula, RandomTerm
from collabsurvey.regression.generalized_linear import GeneralizedLinearResult, counts, logit
from collabsurvey.regression.generalized_result import GeneralizedResult, MixedGeneralizedResult
from collabsurvey.regression.grammar import LANGUAGE, parse_formula
from collabsurvey.regression.influence import InfluenceResult, influence
from collabsurvey.regression.intervals import IntervalsResult, intervals
from collabsurvey.regression.johnson_neyman import JohnsonNeymanResult, johnson_neyman
from collabsurvey.regression.likelihood_ratio import LikelihoodRatioResult, likelihood_ratio
from collabsurvey.regression.linear import LinearResult, ols
from collabsurvey.regression.mixed import mixed
from collabsurvey.regression.mixed_counts import mixed_counts
from collabsurvey.regression.mixed_logit import mixed_logit
from collabsurvey.regression.mixed_ordinal import mixed_ordinal
from collabsurvey.regression.mixed_ordinal_result import MixedOrdinalResult
from collabsurvey.regression.mixed_result import MixedResult
from collabsurvey.regression.ordinal import ordinal
from collabsurvey.regression.ordinal_assumption_result import AssumptionResult
from collabsurvey.regression.ordinal_result import OrdinalResult
from collabsurvey.regression.prediction_chart import prediction_chart
from collabsurvey.regression.residual_plots import ResidualsResult, residuals
from collabsurvey.regression.results import RegressionResult
from collabsurvey.regression.simple_slopes import SimpleSlopesResult, simple_slopes
from collabsurvey.regression.wild_bootstrap import WildBootstrapResult, wild_bootstrap
from collabsurvey.regression.wording import in_words

__all__ = [
    "LANGUAGE",
    "AggregatedPredictorResult",
    "AnovaResult",
    "AssumptionResult",
    "ClusterRulesResult",
    "CollinearityResult",
    "ComparisonResult",
    "ContextualResult",
    "Explanation",
    "Formula",
    "GeneralizedLinearResult",
    "GeneralizedResult",
    "InfluenceResult",
    "IntervalsResult",
    "JohnsonNeymanResult",
    "LikelihoodRatioResult",
    "LinearResult",
    "MixedGeneralizedResult",
    "MixedOrdinalResult",
    "MixedResult",
    "OrdinalResult",
    "RandomTerm",
    "RegressionResult",
    "ResidualsResult",
    "SimpleSlopesResult",
    "WildBootstrapResult",
    "aggregated_predictor",
    "anova",
    "caterpillar",
    "coefficient_chart",
    "collinearity",
    "compare",
    "contextual_effect",
    "counts",
    "enough_clusters",
    "explanation",
    "in_words",
    "influence",
    "intervals",
    "johnson_neyman",
    "likelihood_ratio",
    "logit",
    "mixed",
    "mixed_counts",
    "mixed_logit",
    "mixed_ordinal",
    "ols",
    "ordinal",
    "parse_formula",
    "prediction_chart",
    "residuals",
    "simple_slopes",
    "wild_bootstrap",
]
