using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using Notify.Contracts;

namespace Notify.Operations;

/// <summary>The description of the HTTP API, at <c>/openapi/v1.json</c>: beside what each route says of itself, what holds for all of them.</summary>
internal static class OpenApiSetup
{
    private const string Scheme = "bearer";

    public static IServiceCollection AddNotifyOpenApi(this IServiceCollection services) => services.AddOpenApi("v1", options =>
    {
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info.Title = "Notify";
            document.Info.Version = NotifyApplication.Version;
            document.Components ??= new OpenApiComponents();
            document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
            {
                [Scheme] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = Scheme, BearerFormat = "JWT", Description = "The application's own token." },
            };
            AddCode((OpenApiSchema)document.Components.Schemas!["ProblemDetails"]);
            return Task.CompletedTask;
        });
        options.AddOperationTransformer(AddWhatAnyMayAnswer);
        options.AddSchemaTransformer((schema, context, _) =>
        {
            if (context.JsonTypeInfo.Type == typeof(MessagePosted) && context.JsonPropertyInfo is null)
            {
                // Of its type nothing is, so that all that is missing is told at once.
                schema.Required = new HashSet<string> { "messageId", "recipientIds", "title" };
            }

            return Task.CompletedTask;
        });
    }).ConfigureHttpJsonOptions(options => options.SerializerOptions.NumberHandling = JsonNumberHandling.Strict);

    private static Task AddWhatAnyMayAnswer(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        operation.Responses ??= [];
        operation.Responses.TryAdd("429", Problem("Too Many Requests"));
        operation.Responses.TryAdd("503", Problem("Service Unavailable"));
        if (operation.RequestBody is not null)
        {
            operation.Responses.TryAdd("415", Problem("Unsupported Media Type"));
        }

        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        if (metadata.OfType<IAuthorizeData>().Any() && !metadata.OfType<IAllowAnonymous>().Any())
        {
            operation.Responses.TryAdd("401", Problem("Unauthorized"));
            operation.Responses.TryAdd("403", Problem("Forbidden"));
            operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Scheme, context.Document)] = [] }];
        }

        return Task.CompletedTask;
    }

    // What Problems adds to RFC 9457's members.
    private static void AddCode(OpenApiSchema problem)
    {
        problem.Properties!["code"] = new OpenApiSchema { Type = JsonSchemaType.String, Description = "Says what is wrong, and stays the same from version to version." };
        problem.Properties["errors"] = new OpenApiSchema
        {
            Type = JsonSchemaType.Object,
            Description = "Of invalid_message: what is wrong with each member.",
            AdditionalProperties = new OpenApiSchema { Type = JsonSchemaType.String },
        };
        problem.Required = new HashSet<string> { "code" };
    }

    private static OpenApiResponse Problem(string description) => new()
    {
        Description = description,
        Content = new Dictionary<string, OpenApiMediaType>
        {
            ["application/problem+json"] = new() { Schema = new OpenApiSchemaReference("ProblemDetails") },
        },
    };
}
