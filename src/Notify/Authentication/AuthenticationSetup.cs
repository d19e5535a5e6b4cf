using System.Text;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.JwtBearer;
using Microsoft.AspNetCore.DataProtection;
using Microsoft.IdentityModel.Tokens;

namespace Notify.Authentication;

/// <summary>Registers who is believed: the application's tokens, and in Development a header.</summary>
internal static class AuthenticationSetup
{
    private const string Scheme = "Notify";

    // What an issuer signs with a private key. Were HS256 among them, its public key could pass for a shared one.
    private static readonly string[] AsymmetricAlgorithms =
    [
        SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512,
        SecurityAlgorithms.RsaSsaPssSha256, SecurityAlgorithms.RsaSsaPssSha384, SecurityAlgorithms.RsaSsaPssSha512,
        SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha512,
    ];

    public static IServiceCollection AddNotifyAuthentication(this IServiceCollection services, IConfiguration configuration, IHostEnvironment environment)
    {
        var auth = configuration.GetSection(AuthOptions.Section).Get<AuthOptions>() ?? new();
        services.AddSingleton<IssuerEvents>().AddAuthentication(Scheme)
            .AddPolicyScheme(Scheme, null, options => options.ForwardDefaultSelector = context =>
                environment.IsDevelopment() && context.Request.Headers.Authorization.Count == 0 ? DevelopmentUserHandler.SchemeName : JwtBearerDefaults.AuthenticationScheme)
            .AddScheme<AuthenticationSchemeOptions, DevelopmentUserHandler>(DevelopmentUserHandler.SchemeName, null)
            .AddJwtBearer(options =>
            {
                options.MapInboundClaims = false;
                options.TokenValidationParameters.NameClaimType = "sub";
                options.TokenValidationParameters.IgnoreTrailingSlashWhenValidatingAudience = false;
                options.TokenValidationParameters.ClockSkew = AuthOptions.ClockSkew;
                if (!string.IsNullOrEmpty(auth.Authority))
                {
                    options.Authority = auth.Authority;
                    options.Audience = auth.Audience;
                    options.TokenValidationParameters.ValidAlgorithms = AsymmetricAlgorithms;
                    options.RequireHttpsMetadata = !environment.IsDevelopment();
                    options.EventsType = typeof(IssuerEvents);
                    options.BackchannelTimeout = IssuerEvents.Patience;

                    // A key that is not known has it asked again, at most so often: a token with any key id would otherwise keep a new key unknown for five minutes.
                    options.RefreshInterval = TimeSpan.FromSeconds(30);
                }
                else
                {
                    // Without either setting no token is believed.
                    options.TokenValidationParameters.ValidateIssuer = false;
                    options.TokenValidationParameters.ValidateAudience = !string.IsNullOrEmpty(auth.Audience);
                    options.TokenValidationParameters.ValidAudience = auth.Audience;
                    options.TokenValidationParameters.ValidAlgorithms = [SecurityAlgorithms.HmacSha256];
                    if (!string.IsNullOrEmpty(auth.SigningKey))
                    {
                        options.TokenValidationParameters.IssuerSigningKeys = [.. auth.PreviousSigningKeys.Prepend(auth.SigningKey).Select(key => new SymmetricSecurityKey(Encoding.UTF8.GetBytes(key)))];
                    }
                }
            });

        // Nothing is protected by the keys that ASP.NET's authentication brings along; the first of them would be made at the start, and left in the home directory.
        foreach (var keyMaker in services.Where(service => service.ServiceType == typeof(IHostedService) && service.ImplementationType?.Assembly == typeof(IDataProtectionBuilder).Assembly).ToList())
        {
            services.Remove(keyMaker);
        }

        services.AddAuthorization(options => options.AddPolicies(environment.IsDevelopment()));
        return services;
    }
}
